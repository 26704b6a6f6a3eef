#ifndef SLUICE_LIBCURL_SYSTEM_H
#define SLUICE_LIBCURL_SYSTEM_H

#include <curl/curl.h>

#endif
