#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// An open regular file. Closing happens in the destructor and reports nothing: what must be
/// durable is synced first.
class File {
 public:
  virtual ~File() = default;
  /// Bytes in the file now. Fails: `io`.
  virtual Result<std::uint64_t> size() const = 0;
  /// Fills all of `destination` from `offset`. Safe from several threads at once.
  /// Fails: `corrupt` when the file ends first, `io` when the host fails.
  virtual Status read_at(std::uint64_t offset, MutableBytes destination) const = 0;
  /// Writes all of `bytes` at `offset`. Fails: `io` (a full disk included); some may be written.
  virtual Status write_at(std::uint64_t offset, Bytes bytes) = 0;
  /// Makes what was written durable (fsync). Fails: `io`; the content is then unknown.
  virtual Status sync() = 0;
};

/// What one folder entry is, without following links.
enum class FileKind { regular, folder, link, other };
struct FolderEntry {
  std::string name;
  FileKind kind;
};

/// The host's file system below one folder that the holder was given. Paths are relative to it,
/// use `/`, and never follow links. The host is hostile: nothing read here is trusted.
/// Implemented by base/posix and by a fault-injecting fake in tests/support.
class Files {
 public:
  virtual ~Files() = default;
  /// Fails: `not_found`; `corrupt` where the entry is no regular file (a link, a device); `io`.
  virtual Result<std::unique_ptr<File>> open_for_reading(const std::string& path) = 0;
  /// A new file, readable and writable by its owner only. Fails: `conflict` if it exists; `io`.
  virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;
  /// Replaces `to` if it exists, atomically. Not durable before `sync_folder`.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  /// Fails: `not_found`, `io`.
  virtual Status remove(const std::string& path) = 0;
  /// Makes the folder's entries durable. `path` "" is the root folder itself.
  virtual Status sync_folder(const std::string& path) = 0;
  /// Creates one folder (mode 0700). An existing folder is no error; a link in its place is.
  virtual Status make_folder(const std::string& path) = 0;
  /// Entries of a folder in no particular order, `.` and `..` left out. Fails: `not_found`, `io`.
  virtual Result<std::vector<FolderEntry>> list(const std::string& path) = 0;
  /// Takes an exclusive lock named `path` for the life of the returned object, across processes.
  /// Fails: `conflict` while another holds it.
  virtual Result<std::unique_ptr<File>> lock(const std::string& path) = 0;
};

}  // namespace cloister
