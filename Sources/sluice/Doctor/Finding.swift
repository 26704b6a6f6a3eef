import KubernetesAPI

/// One thing that `doctor` looked at, and what it found.
struct Finding: Sendable, Equatable {
  enum Verdict: String, Sendable {
    case fine = "Fine"
    /// Works, but not as well as it could, or not for everybody.
    case note = "Note"
    /// Sluice cannot do its work.
    case fault = "Fault"
    /// Could not be looked at.
    case unknown = "Unknown"
  }

  /// What was looked at, in a word or two.
  var subject: String
  var verdict: Verdict
  /// What was found, one sentence.
  var message: String
  /// What to do about it.
  var advice: String?

  var json: JSON {
    var json: JSON = [
      "subject": .string(subject), "verdict": .string(verdict.rawValue), "message": .string(message),
    ]
    if let advice { json["advice"] = .string(advice) }
    return json
  }
}

/// All that `doctor` found.
struct Diagnosis: Sendable, Equatable {
  var findings: [Finding]

  /// 0 where nothing keeps Sluice from its work, 2 where something does, 3 where that is not known.
  var exitCode: Int32 {
    if findings.contains(where: { $0.verdict == .fault }) { return 2 }
    return findings.contains { $0.verdict == .unknown } ? 3 : 0
  }

  var lines: [String] {
    let marks: [Finding.Verdict: String] = [.fine: "+", .note: "!", .fault: "x", .unknown: "?"]
    let width = findings.map(\.subject.count).max() ?? 0
    let indent = String(repeating: " ", count: width + 6)
    return findings.flatMap { finding in
      let subject = finding.subject + String(repeating: " ", count: width - finding.subject.count)
      return ["\(marks[finding.verdict] ?? "?") \(subject)    \(finding.message)"]
        + (finding.advice.map { [indent + $0] } ?? [])
    }
  }

  var json: JSON { ["exitCode": JSON(Int(exitCode)), "findings": .array(findings.map(\.json))] }
}
