import CanaryAnalysis
import Foundation
import RolloutAPI

/// What a guard saw, in a sentence.
struct GuardSentences {
  var events: EventWatch?
  var level: (canary: Double, stable: Double)?
  var growth: GrowthWatch.Growth?
  var leader: MixWatch.Leader?
  var memoryLimit: Double?
  var share: (share: Double, weight: Int)?
  var usual: UsualLevels
  var requests: Double?

  func sentence(_ kind: GuardKind) -> String {
    switch kind {
    case .restarts: event("restarts of containers")
    case .outOfMemory: event("kills for want of memory")
    case .memory: levels("memory of a pod", usual.memory.map { bytes($0.median) }) { bytes($0) }
    case .cpu: levels("CPU of a pod", usual.cpu.map { cores($0.median) }) { cores($0) }
    case .throttling: levels("periods in which the CPU limit stopped a container", nil) { percent($0) }
    case .garbageCollection: levels("time in garbage collection", nil) { percent($0) }
    case .memoryGrowth: grows
    case .responseCodes: mix("answers with code")
    case .connections: mix("connections that failed with")
    case .endpoints: mix("errors of")
    case .requestShare:
      share.map { "\(percent($0.share)) of the requests reach the canary, whose weight is \($0.weight)%" }
        ?? "no requests are split by a weight"
    case .requestVolume:
      "the service gets \(requests.map { rounded($0) } ?? "no known number of") requests a second; at this hour "
        + "\(usual.requests.map { rounded($0.median) } ?? "an unknown number") are usual"
    }
  }

  private func event(_ what: String) -> String {
    guard let events else { return "no \(what) have been counted" }
    func track(_ name: String, _ found: (events: Double, hours: Double)) -> String {
      "\(name) \(Int(nearest: found.events)) in \(Self.span(found.hours * 3600)) of its pods together"
    }
    return "\(what): \(track("canary", events.canaryEvents)), \(track("stable", events.stableEvents))"
  }

  private static func span(_ seconds: Double) -> String { Duration.seconds(min(seconds.rounded(), 1e9)).text }

  private func levels(_ what: String, _ past: String?, _ text: (Double) -> String) -> String {
    guard let level else { return "\(what): not measured yet" }
    return "\(what): canary \(text(level.canary)), stable \(text(level.stable))"
      + (past.map { ", usual at this hour \($0)" } ?? "")
  }

  private var grows: String {
    guard let growth else { return "the canary's memory has not been watched for long enough" }
    guard growth.matters else {
      return "the canary's memory is \(bytes(growth.level)) and does not grow on by much"
    }
    var text =
      "the canary's memory grows by \(bytes(growth.slope * 60)) a minute, to \(bytes(growth.level)), and stable's does not"
    if let memoryLimit, let seconds = growth.timeUntil(memoryLimit) {
      text += "; its limit of \(bytes(memoryLimit)) is reached in \(Self.span(seconds))"
    }
    return text
  }

  private func mix(_ what: String) -> String {
    guard let leader else { return "\(what): none" }
    func track(_ counts: Counts) -> String {
      "\(percent(counts.rate ?? 0)) (\(rounded(counts.bad)) of \(rounded(counts.requests)))"
    }
    return "\(what) \(leader.name): canary \(track(leader.canary)), stable \(track(leader.stable))"
  }

  private func bytes(_ value: Double) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (value, 0)
    while abs(value) >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return "\(rounded(value)) \(units[unit])"
  }

  private func cores(_ value: Double) -> String { "\(rounded(value * 1000))m" }
  private func percent(_ value: Double) -> String { "\(rounded(value * 100)) %" }

  /// Three significant digits.
  private func rounded(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "an unknown number" }
    let scale = pow(10, Double(2 - Int(floor(log10(abs(value))))))
    let number = (value * scale).rounded() / scale
    return number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)
  }
}
