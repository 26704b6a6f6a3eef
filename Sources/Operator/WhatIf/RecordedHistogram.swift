import CanaryAnalysis
import Foundation
import Prometheus
import RolloutAPI
import TrafficRouting

/// A histogram of the team's own as a Prometheus has it, look by look, until it is known which boundaries all of it has.
struct RecordedHistogram {
  private var native: NativeBuckets
  /// What grew, by time, track and boundary.
  private var grown: [Date: [Track: [Double: Double]]] = [:]
  /// The same of stable before the first look, by windows in seconds.
  private var past: [Double: [Double: Double]] = [:]

  init(_ latency: SLO.OwnLatency) {
    native = NativeBuckets(limits: [latency.max / .milliseconds(1)])
  }

  mutating func add(_ values: [MetricsKey: Double], _ track: Track, at time: Date) {
    native.narrow(to: values)
    Self.add(values, to: &grown[time, default: [:]][track, default: [:]])
  }

  mutating func add(past values: [MetricsKey: Double], window: Double) {
    native.narrow(to: values)
    Self.add(values, to: &past[window, default: [:]])
  }

  private static func add(_ values: [MetricsKey: Double], to sums: inout [Double: Double]) {
    for (key, count) in values where count.isFinite && count >= 0 {
      if let boundary = key.boundary { sums[boundary, default: 0] += count }
    }
  }

  /// Puts it into a recording, under the name of its objective.
  func store(in recording: inout Recording, as slo: String) {
    let found = Set((grown.values.flatMap(\.values) + past.values).flatMap(\.keys)).filter(\.isFinite)
    let boundaries = (native.kept.map(found.intersection) ?? found).sorted()
    recording.histograms = (recording.histograms ?? [:]).merging([slo: boundaries]) { $1 }
    func look(_ sums: [Double: Double]) -> TrackLook {
      let requests = Int(nearest: sums[.infinity] ?? 0)
      var largest = 0.0
      // A boundary that did not grow has as many as the one below it.
      let buckets = boundaries.map { boundary in
        largest = max(largest, sums[boundary] ?? 0)
        return min(requests, Int(nearest: largest))
      }
      return TrackLook(requests: requests, failed: 0, buckets: buckets)
    }
    for index in recording.looks.indices {
      let time = recording.start.addingTimeInterval(Double(index + 1) * recording.interval)
      for (track, path) in [(Track.stable, \Recording.Look.stableHistograms), (.canary, \.canaryHistograms)] {
        guard let sums = grown[time]?[track] else { continue }
        let before = recording.looks[index][keyPath: path] ?? [:]
        recording.looks[index][keyPath: path] = before.merging([slo: look(sums)]) { $1 }
      }
    }
    for index in recording.past?.indices ?? 0..<0 {
      guard let sums = recording.past.flatMap({ past[$0[index].window] }) else { continue }
      let before = recording.past?[index].histograms ?? [:]
      recording.past?[index].histograms = before.merging([slo: look(sums)]) { $1 }
    }
  }
}

extension Recorder {
  /// The histograms of the team's own, of both revisions and of what stable did before.
  func addHistograms(
    _ plan: Plan, _ stable: String, _ canary: String, _ span: TrafficSpan, _ step: Duration, _ label: String?,
    to recording: inout Recording
  ) async throws {
    for slo in plan.analysis.slos {
      guard case .ownLatency(let latency) = slo.objective else { continue }
      var histogram = RecordedHistogram(latency)
      for (track, set) in [(Track.stable, stable), (.canary, canary)] {
        let setting = Self.setting(plan, set, label)
        var counters = CounterIncreases<MetricsKey>()
        var isCustom = false
        try await each(setting.text(latency.metric, track), span, step) { time, series in
          let readings = OwnLatencyJudge.readings(series, track, latency.unit)
          isCustom = isCustom || NativeBuckets.hasCustomBoundaries(Array(readings.keys))
          let known = Set(counters.keys.map(\.process))
          // Pods of the newer revision are seen from their beginning.
          guard !readings.isEmpty || track == .canary,
            let grown = counters.record(
              readings, at: time, of: \.process, beginsAtZero: { $0.beginsAtZero(known: known) }), !readings.isEmpty
          else { return }
          var values = grown.values
          for key in readings.keys where values[key] == nil { values[key] = 0 }
          histogram.add(values, track, at: time)
        }
        if isCustom {
          throw RecordingProblem(description: "the histogram of \(slo.name) is \(NativeBuckets.customBoundaries)")
        }
      }
      for window in Set(plan.analysis.burnWindows.flatMap { [$0.long, $0.short] }).sorted() {
        let texts = Self.setting(plan, stable, label).increaseTexts(
          latency.metric, .stable, over: window, callers: plan.services.first?.name)
        for text in texts {
          let values = try await matrix(text, [span.from], step)
          histogram.add(
            past: OwnLatencyJudge.readings(values[PastLooks.milliseconds(span.from)] ?? [], .stable, latency.unit),
            window: window / .seconds(1))
        }
      }
      histogram.store(in: &recording, as: slo.name)
    }
  }
}
