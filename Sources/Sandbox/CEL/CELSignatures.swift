/// The overloads that the checker knows, one a line: `receiver.name(parameters) result`. `dyn` stands for any type.
struct CELSignature: Sendable {
  var receiver: CELType?
  var parameters: [CELType]
  var result: CELType

  static let all: [String: [CELSignature]] = {
    var table: [String: [CELSignature]] = [:]
    for line in source.split(separator: "\n") {
      let parts = line.split(separator: " ").map(String.init)
      guard parts.count == 2, let open = parts[0].firstIndex(of: "(") else { continue }
      var name = String(parts[0][..<open])
      let parameters = parts[0][parts[0].index(after: open)...].dropLast().split(separator: ",")
      var receiver: CELType?
      if !CELFunctions.namespaced.contains(name), let dot = name.firstIndex(of: ".") {
        receiver = type(String(name[..<dot]))
        name = String(name[name.index(after: dot)...])
      }
      table[name, default: []].append(
        CELSignature(receiver: receiver, parameters: parameters.map { type(String($0)) }, result: type(parts[1])))
    }
    return table
  }()

  private static func type(_ name: String) -> CELType {
    switch name {
    case "bool": .bool
    case "int": .int
    case "uint": .uint
    case "double": .double
    case "string": .anyString
    case "bytes": .bytes(most: CELType.largestRequest)
    case "duration": .duration
    case "timestamp": .timestamp
    case "type": .type
    case "url": .url
    case "list": .anyList
    case "strings": .list(.anyString, most: CELType.largestRequest / 3)
    case "map": .anyMap
    case "optional": .optional(.dyn)
    case "format": .message(CELFunctions.formatType)
    default: .dyn
    }
  }

  private static let source = """
    size(string) int
    size(bytes) int
    size(list) int
    size(map) int
    string.size() int
    bytes.size() int
    list.size() int
    map.size() int
    type(dyn) type
    dyn(dyn) dyn
    int(int) int
    int(uint) int
    int(double) int
    int(string) int
    int(timestamp) int
    int(duration) int
    uint(uint) uint
    uint(int) uint
    uint(double) uint
    uint(string) uint
    double(double) double
    double(int) double
    double(uint) double
    double(string) double
    string(string) string
    string(bool) string
    string(int) string
    string(uint) string
    string(double) string
    string(bytes) string
    string(duration) string
    string(timestamp) string
    string(url) string
    bytes(string) bytes
    bytes(bytes) bytes
    bool(bool) bool
    bool(string) bool
    duration(string) duration
    duration(duration) duration
    timestamp(string) timestamp
    timestamp(int) timestamp
    timestamp(timestamp) timestamp
    matches(string,string) bool
    string.matches(string) bool
    string.startsWith(string) bool
    string.endsWith(string) bool
    string.contains(string) bool
    string.find(string) string
    string.findAll(string) strings
    string.findAll(string,int) strings
    string.indexOf(string) int
    string.indexOf(string,int) int
    string.lastIndexOf(string) int
    string.lastIndexOf(string,int) int
    string.substring(int) string
    string.substring(int,int) string
    string.charAt(int) string
    string.split(string) strings
    string.split(string,int) strings
    string.replace(string,string) string
    string.replace(string,string,int) string
    string.lowerAscii() string
    string.upperAscii() string
    string.trim() string
    string.reverse() string
    strings.join() string
    strings.join(string) string
    list.isSorted() bool
    list.sum() dyn
    list.min() dyn
    list.max() dyn
    list.indexOf(dyn) int
    list.lastIndexOf(dyn) int
    list.first() optional
    list.last() optional
    list.reverse() list
    list.distinct() list
    list.sort() list
    list.flatten() list
    list.slice(int,int) list
    sets.contains(list,list) bool
    sets.equivalent(list,list) bool
    sets.intersects(list,list) bool
    math.greatest(dyn) dyn
    math.greatest(dyn,dyn) dyn
    math.greatest(dyn,dyn,dyn) dyn
    math.least(dyn) dyn
    math.least(dyn,dyn) dyn
    math.least(dyn,dyn,dyn) dyn
    math.abs(int) int
    math.abs(uint) uint
    math.abs(double) double
    optional.of(dyn) optional
    optional.none() optional
    optional.ofNonZeroValue(dyn) optional
    optional.hasValue() bool
    optional.value() dyn
    optional.orValue(dyn) dyn
    optional.or(optional) optional
    format.named(string) optional
    format.dns1123Label() format
    format.dns1123Subdomain() format
    format.dns1035Label() format
    format.qualifiedName() format
    format.labelValue() format
    format.uri() format
    format.uuid() format
    format.byte() format
    format.date() format
    format.datetime() format
    format.validate(string) optional
    jsonpatch.escapeKey(string) string
    url(string) url
    isURL(string) bool
    isIP(string) bool
    url.getScheme() string
    url.getHost() string
    url.getHostname() string
    url.getPort() string
    url.getEscapedPath() string
    url.getQuery() map
    duration.getHours() int
    duration.getMinutes() int
    duration.getSeconds() int
    duration.getMilliseconds() int
    timestamp.getFullYear() int
    timestamp.getMonth() int
    timestamp.getDate() int
    timestamp.getDayOfMonth() int
    timestamp.getDayOfWeek() int
    timestamp.getHours() int
    timestamp.getMinutes() int
    timestamp.getSeconds() int
    timestamp.getMilliseconds() int
    timestamp.getFullYear(string) int
    timestamp.getMonth(string) int
    timestamp.getDate(string) int
    timestamp.getHours(string) int
    timestamp.getMinutes(string) int
    timestamp.getSeconds(string) int
    """
}
