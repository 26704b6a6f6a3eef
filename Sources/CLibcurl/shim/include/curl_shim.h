// Swift cannot call C functions with variable arguments. libcurl's setters and getters are such functions, so each
// type of argument that we pass gets a function of its own here. Nothing else lives in this target.

#ifndef SLUICE_CURL_SHIM_H
#define SLUICE_CURL_SHIM_H

#include <curl/curl.h>
#include <stddef.h>

// CURLOPT_PREREQFUNCTION (7.80.0) is the youngest option that cannot be done without.
#if LIBCURL_VERSION_NUM < 0x075000
#error "libcurl 7.80.0 or later is needed"
#endif

typedef size_t (*curl_shim_data_callback)(char *_Nullable data, size_t size, size_t count, void *_Nullable context);
typedef int (*curl_shim_seek_callback)(void *_Nullable context, curl_off_t offset, int origin);
typedef int (*curl_shim_socket_option_callback)(void *_Nullable context, curl_socket_t socket, curlsocktype purpose);
typedef int (*curl_shim_resolver_start_callback)(void *_Nullable resolver, void *_Nullable reserved,
                                                 void *_Nullable context);
typedef int (*curl_shim_before_request_callback)(void *_Nullable context, char *_Nullable primary_ip,
                                                 char *_Nullable local_ip, int primary_port, int local_port);
typedef int (*curl_shim_socket_callback)(CURL *_Nullable easy, curl_socket_t socket, int what, void *_Nullable context,
                                         void *_Nullable socket_context);
typedef int (*curl_shim_timer_callback)(CURLM *_Nullable multi, long milliseconds, void *_Nullable context);

// Options of a transfer.
CURLcode curl_shim_set_long(CURL *_Nonnull easy, CURLoption option, long value);
CURLcode curl_shim_set_offset(CURL *_Nonnull easy, CURLoption option, curl_off_t value);
CURLcode curl_shim_set_string(CURL *_Nonnull easy, CURLoption option, const char *_Nullable value);
CURLcode curl_shim_set_pointer(CURL *_Nonnull easy, CURLoption option, void *_Nullable value);
CURLcode curl_shim_set_list(CURL *_Nonnull easy, CURLoption option, struct curl_slist *_Nullable value);
// The bytes are copied.
CURLcode curl_shim_set_blob(CURL *_Nonnull easy, CURLoption option, const void *_Nonnull bytes, size_t length);
// For CURLOPT_WRITEFUNCTION, CURLOPT_READFUNCTION and CURLOPT_HEADERFUNCTION.
CURLcode curl_shim_set_data_callback(CURL *_Nonnull easy, CURLoption option, curl_shim_data_callback _Nonnull callback);
CURLcode curl_shim_set_seek_callback(CURL *_Nonnull easy, curl_shim_seek_callback _Nonnull callback);
CURLcode curl_shim_set_socket_option_callback(CURL *_Nonnull easy, curl_shim_socket_option_callback _Nonnull callback);
CURLcode curl_shim_set_resolver_start_callback(CURL *_Nonnull easy,
                                               curl_shim_resolver_start_callback _Nonnull callback);
CURLcode curl_shim_set_before_request_callback(CURL *_Nonnull easy,
                                               curl_shim_before_request_callback _Nonnull callback);
// Allows the schemes http and https only, under whichever name this libcurl has for that.
CURLcode curl_shim_allow_only_http(CURL *_Nonnull easy);
// Lets a transfer that is given up while its name resolves leave without waiting for the resolver (from 7.87.0 on;
// before, this does nothing).
CURLcode curl_shim_set_quick_exit(CURL *_Nonnull easy);

CURLcode curl_shim_get_long(CURL *_Nonnull easy, CURLINFO info, long *_Nonnull value);

// Options of a multi handle.
CURLMcode curl_shim_multi_set_long(CURLM *_Nonnull multi, CURLMoption option, long value);
CURLMcode curl_shim_multi_set_pointer(CURLM *_Nonnull multi, CURLMoption option, void *_Nullable value);
CURLMcode curl_shim_multi_set_socket_callback(CURLM *_Nonnull multi, curl_shim_socket_callback _Nonnull callback);
CURLMcode curl_shim_multi_set_timer_callback(CURLM *_Nonnull multi, curl_shim_timer_callback _Nonnull callback);

#endif
