/// The functions of PromQL and what they take, <https://prometheus.io/docs/prometheus/latest/querying/functions/>.
///
/// `info()` is not among them: it reads series that no selector of the query names, so no matcher could confine it.
enum QueryFunctions {
  struct Signature: Sendable, Hashable {
    var parameters: [QueryNode.Kind]
    /// How many of the parameters must be there.
    var required: Int
    /// Whether the last parameter may be given again and again.
    var repeats: Bool
    var result: QueryNode.Kind
  }

  static func signature(_ name: String) -> Signature? { table[name] }

  /// `v` vector, `m` matrix, `n` number, `t` text; `?` makes the one before optional, `*` repeats it from none to many.
  private static let table: [String: Signature] = {
    let groups: [(String, String)] = [
      (
        "v",
        """
        abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count \
        histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad scalar sgn sin sinh sort sort_desc sqrt tan \
        tanh timestamp
        """
      ),
      (
        "m",
        """
        absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate \
        last_over_time mad_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time \
        stdvar_over_time sum_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time \
        ts_of_min_over_time
        """
      ),
      ("v?", "day_of_month day_of_week day_of_year days_in_month hour minute month year"),
      ("", "pi time"), ("n", "vector"), ("vnn", "clamp"), ("vn", "clamp_max clamp_min"), ("vn?", "round"),
      ("nv", "histogram_quantile"), ("nnv", "histogram_fraction"), ("mnn", "double_exponential_smoothing holt_winters"),
      ("mn", "predict_linear"), ("nm", "quantile_over_time"), ("vtttt", "label_replace"), ("vttt*", "label_join"),
      ("vt*", "sort_by_label sort_by_label_desc"),
    ]
    var table: [String: Signature] = [:]
    for (letters, names) in groups {
      var signature = Signature(parameters: [], required: 0, repeats: false, result: .vector)
      for letter in letters {
        switch letter {
        case "?": signature.required -= 1
        case "*":
          signature.required -= 1
          signature.repeats = true
        default:
          signature.parameters.append(
            letter == "v" ? .vector : letter == "m" ? .matrix : letter == "n" ? .scalar : .string)
          signature.required += 1
        }
      }
      for name in names.split(separator: " ").map(String.init) {
        signature.result = ["scalar", "time", "pi"].contains(name) ? .scalar : .vector
        table[name] = signature
      }
    }
    return table
  }()

  /// Aggregations and what stands before their vector.
  static let aggregations: [String: QueryNode.Kind?] = [
    "sum": nil, "avg": nil, "count": nil, "min": nil, "max": nil, "group": nil, "stddev": nil, "stdvar": nil,
    "topk": .scalar, "bottomk": .scalar, "quantile": .scalar, "limitk": .scalar, "limit_ratio": .scalar,
    "count_values": .string,
  ]

  /// Words that are no metric where an operand is expected.
  static let keywords: Set<String> = [
    "and", "or", "unless", "atan2", "bool", "by", "without", "on", "ignoring", "group_left", "group_right", "offset",
  ]
}
