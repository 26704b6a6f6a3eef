/// A regular expression as it is written.
indirect enum PatternNode {
  case empty
  case scalar(ScalarClass)
  case assertion(Pattern.Assertion)
  case sequence([PatternNode])
  case choice([PatternNode])
  case repetition(PatternNode, least: Int, most: Int?, greedy: Bool)
}

/// What ``Pattern`` runs, made of an expression.
struct PatternProgram {
  /// Repetitions of repetitions would fill the memory.
  private static let largest = 20_000

  private let source: String
  private(set) var instructions: [Pattern.Instruction] = []

  init(of node: PatternNode, source: String) throws(PatternError) {
    self.source = source
    try emit(node)
    instructions.append(.match)
  }

  private mutating func append(_ instruction: Pattern.Instruction) throws(PatternError) {
    guard instructions.count < Self.largest else {
      throw PatternError(source: source, message: "expression too large", isOwnLimit: true)
    }
    instructions.append(instruction)
  }

  private mutating func emit(_ node: PatternNode) throws(PatternError) {
    switch node {
    case .empty: break
    case .scalar(let set): try append(.scalar(set))
    case .assertion(let assertion): try append(.assertion(assertion))
    case .sequence(let parts):
      for part in parts { try emit(part) }
    case .choice(let branches):
      var ends: [Int] = []
      for branch in branches.dropLast() {
        let split = instructions.count
        try append(.jump(0))
        try emit(branch)
        ends.append(instructions.count)
        try append(.jump(0))
        instructions[split] = .split(preferred: split + 1, other: instructions.count)
      }
      if let last = branches.last { try emit(last) }
      for end in ends { instructions[end] = .jump(instructions.count) }
    case .repetition(let part, let least, let most, let greedy):
      for _ in 0..<least { try emit(part) }
      if let most {
        for _ in least..<most {
          try emitOptional(greedy: greedy) { program throws(PatternError) in try program.emit(part) }
        }
      } else {
        let start = instructions.count
        try emitOptional(greedy: greedy) { program throws(PatternError) in
          try program.emit(part)
          try program.append(.jump(start))
        }
      }
    }
  }

  private mutating func emitOptional(
    greedy: Bool, _ body: (inout PatternProgram) throws(PatternError) -> Void
  ) throws(PatternError) {
    let split = instructions.count
    try append(.jump(0))
    try body(&self)
    instructions[split] =
      greedy
      ? .split(preferred: split + 1, other: instructions.count)
      : .split(preferred: instructions.count, other: split + 1)
  }
}
