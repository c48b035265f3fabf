#if canImport(Glibc)
    internal import Glibc
#endif

/// Packs as they lie in their files, without an index: for the programs of this package that try the decoder.
package enum PackReading {
    /// Decodes every frame of a file, as a rebuild of the index does, and follows the recipes in it. Returns how many frames could be read.
    @discardableResult
    package static func read(_ path: String, pack: UInt32, vault: [UInt8], size: Int) throws -> Int {
        let walk = PackWalk(file: try OpenFile(path, O_RDONLY), pack: pack, vault: vault, size: size)
        _ = try walk.headerFault()
        let loader = FrameLoader()
        let decoded = ByteBuffer()
        var offset = try walk.nextFrame(from: PackFormat.headerLength)
        var frames = 0
        while let place = offset {
            guard let header = try walk.header(at: place) else { break }
            if let entries = try walk.table(at: place, header),
                try loader.payload(walk.file, at: place, header, into: decoded) == nil
            {
                frames += 1
                for entry in entries where entry.recipeLength > 0 {
                    let recipe = decoded.bytes(entry.offset, entry.recipeLength)
                    _ = RecipeParser.fault(
                        in: recipe, size: entry.size, literals: entry.length - entry.recipeLength)
                    var parser = RecipeParser(recipe)
                    while parser.next() != nil {}
                }
            }
            offset = try walk.nextFrame(from: place + header.frameLength)
        }
        return frames
    }
}
