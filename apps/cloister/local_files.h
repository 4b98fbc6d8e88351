#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/entropy.h"
#include "base/files.h"
#include "base/result.h"

namespace cloister {

/// Opens a file of the person's own; links are followed. Fails: `not_found`, `invalid` for what
/// is no regular file, `io`; the Detail names the path.
Result<std::unique_ptr<File>> open_local_file(const std::string& path);

/// The folder in which `path` stands; links on the way to it are followed, in it none is.
/// Fails: `not_found`; the Detail names the path.
Result<std::unique_ptr<Files>> open_folder_of(const std::string& path);

/// All of a file, at most `bytes_max`. Fails: as above, and `too_large`.
Result<ByteVector> read_local_file(const std::string& path, std::uint64_t bytes_max);

/// Writes a file whole or not at all: aside first, then renamed over `path`. Its mode is 0600.
/// Fails: `io`; the Detail names the path.
Status write_local_file(const std::string& path, Bytes content, Entropy& entropy);

}  // namespace cloister
