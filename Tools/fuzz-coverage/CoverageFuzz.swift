internal import FuzzTargets
internal import Glibc

// libFuzzer's side of `Tools/torture guided`: which decoder it is, and the file for decoders that read one, are the first two arguments;
// the others are libFuzzer's own. Only there it is built, with `-sanitize=fuzzer,address`.

private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments?>,
    _ run: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@_silgen_name("LLVMFuzzerMutate")
private func mutate(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ most: Int) -> Int

// Written once, before libFuzzer begins; it has one thread.
nonisolated(unsafe) private var target = FuzzTarget.record
nonisolated(unsafe) private var file = ""

/// What SwiftPM makes the program's `main`.
@_cdecl("yestermail_guided_fuzz_main")
func guidedFuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    guard count >= 3, let arguments, let name = arguments[1], let path = arguments[2],
        let named = FuzzTarget(rawValue: String(cString: name))
    else {
        print("yestermail-guided-fuzz DECODER FILE [of libFuzzer …]: \(FuzzTarget.allCases.map(\.rawValue))")
        return 2
    }
    (target, file) = (named, String(cString: path))
    arguments[2] = arguments[0]
    var rest: Arguments? = arguments + 2
    var left = count - 2
    return runDriver(&left, &rest, decode)
}

/// What libFuzzer calls with each input, and by this name what its own `main` wants, which is linked too.
@_cdecl("LLVMFuzzerTestOneInput")
func decode(_ bytes: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    target.run(Array(UnsafeBufferPointer(start: bytes, count: size)), file: file)
    return 0
}

/// What libFuzzer calls to change an input: its own ways, and then, half of the time, the checksums are put right. Without this it
/// would learn nothing of what lies behind them.
@_cdecl("LLVMFuzzerCustomMutator")
func customMutator(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ most: Int, _ seed: CUnsignedInt) -> Int {
    let changed = mutate(data, size, most)
    if seed & 1 == 0, target.hasChecksums {
        var bytes = Array(UnsafeBufferPointer(start: data, count: changed))
        target.withChecksums(&bytes)
        for index in 0..<changed { data[index] = bytes[index] }
    }
    return changed
}
