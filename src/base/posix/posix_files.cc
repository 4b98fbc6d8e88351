#include "base/posix/posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "base/cached_file.h"

namespace cloister {
namespace {

constexpr std::size_t kComponentsMax = 16;
constexpr std::size_t kEntriesMax = 1'000'000;
// From this size on, what is read or written is part of something large.
constexpr std::size_t kLargePiece = 512U << 10;
constexpr std::size_t kPageBytes = 4096;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const noexcept { return number_; }
  int release() noexcept { return std::exchange(number_, -1); }

 private:
  int number_;
};

Error error_of(int number, Place where) {
  switch (number) {
    case ENOENT: return Error{Code::not_found, where};
    case EEXIST: return Error{Code::conflict, where};
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
    case ENXIO: return Error{Code::corrupt, where};
    default: return Error{Code::io, where};
  }
}

Result<Descriptor> open_at(int folder, const std::string& name, int flags, Place where) {
  while (true) {
    const int number = ::openat(folder, name.c_str(), flags, 0600);
    if (number >= 0) return Descriptor(number);
    if (errno != EINTR) return error_of(errno, where);
  }
}

Result<Descriptor> require_regular(Descriptor file, Place where) {
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return Error{Code::io, where};
  if (!S_ISREG(status.st_mode)) return Error{Code::corrupt, where};
  return file;
}

/// Splits `path` at its slashes; refuses what could leave the folder or name it twice.
Result<std::vector<std::string>> components_of(std::string_view path) {
  std::vector<std::string> components;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    const bool named = !name.empty() && name != "." && name != "..";
    if (!named || name.find('\0') != name.npos || components.size() == kComponentsMax) {
      return Error{Code::invalid, "base.files.path"};
    }
    components.emplace_back(name);
    if (slash == path.npos) return components;
    path.remove_prefix(slash + 1);
  }
}

/// A name and the open folder it stands in.
struct Entry {
  Descriptor folder;
  std::string name;
};

/// A file once more, beside the page cache. Does nothing where the host does not offer that.
class PastCache {
 public:
  explicit PastCache(const Descriptor& file) noexcept {
    struct stat status{};
    if (::fstat(file.number(), &status) != 0 || status.st_size <= 0) return;
    const auto size = static_cast<std::size_t>(status.st_size);
    // Never touched: only the addresses are asked about.
    void* pages = ::mmap(nullptr, size, PROT_NONE, MAP_SHARED, file.number(), 0);
    if (pages == MAP_FAILED) return;
    pages_ = {static_cast<std::byte*>(pages), size};
    const std::string path = "/proc/self/fd/" + std::to_string(file.number());
    file_ = ::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  }
  PastCache(const PastCache&) = delete;
  PastCache& operator=(const PastCache&) = delete;
  ~PastCache() {
    if (!pages_.empty()) ::munmap(pages_.data(), pages_.size());
    if (file_ >= 0) ::close(file_);
  }

  /// Whether the page at `offset`, where a page begins, is in the cache; true where that is unknown
  /// or would help nobody.
  bool is_cached(std::uint64_t offset) const noexcept {
    unsigned char cached = 1;
    if (file_ < 0 || offset >= pages_.size()) return true;
    const bool told = ::mincore(pages_.data() + offset, kPageBytes, &cached) == 0;
    return !told || (cached & 1) != 0;
  }

  /// Reads what it can of the beginning; whole pages at a page's start, into whole pages.
  std::size_t read(std::uint64_t offset, MutableBytes destination) const noexcept {
    const ssize_t count = ::pread(file_, destination.data(), destination.size(),
                                  static_cast<off_t>(offset));
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }

 private:
  MutableBytes pages_;
  int file_ = -1;
};

class PosixFile final : public File, public CachedFile {
 public:
  explicit PosixFile(Descriptor file) noexcept : file_(std::move(file)) {}

  Result<std::uint64_t> size() const override {
    struct stat status{};
    if (::fstat(file_.number(), &status) != 0) return Error{Code::io, "base.file.size"};
    return static_cast<std::uint64_t>(status.st_size);
  }

  Status read_at(std::uint64_t offset, MutableBytes destination) const override {
    CLOISTER_TRY(check_range(offset, destination.size()));
    if (destination.size() >= kLargePiece) {
      const std::size_t done = read_past_cache(offset, destination);
      offset += done;
      destination = destination.subspan(done);
    }
    while (!destination.empty()) {
      const ssize_t count = ::pread(file_.number(), destination.data(), destination.size(),
                                    static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return Error{Code::io, "base.file.read"};
      if (count == 0) return Error{Code::corrupt, "base.file.read"};
      destination = destination.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return Done{};
  }

  bool is_cached(std::uint64_t offset) const override { return past_cache().is_cached(offset); }

  Status write_at(std::uint64_t offset, Bytes bytes) override {
    CLOISTER_TRY(check_range(offset, bytes.size()));
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(file_.number(), bytes.data(), bytes.size(),
                                     static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return Error{Code::io, "base.file.write"};
      // A disk that starts on large pieces at once has little left to do when it comes to `sync`.
      if (static_cast<std::size_t>(count) >= kLargePiece) {
        ::sync_file_range(file_.number(), static_cast<off_t>(offset), count,
                          SYNC_FILE_RANGE_WRITE);
      }
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return Done{};
  }

  Status sync() override {
    // Never tried again: after a failure the kernel may report success for pages it has dropped.
    if (::fsync(file_.number()) != 0) return Error{Code::io, "base.file.sync"};
    return Done{};
  }

 private:
  static Status check_range(std::uint64_t offset, std::size_t count) {
    constexpr auto kOffsetMax = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
    if (offset > kOffsetMax || count > kOffsetMax - offset) {
      return Error{Code::io, "base.file.range"};
    }
    return Done{};
  }

  /// Reads what is large and not in the page cache straight from the disk: a copy less, and no
  /// memory taken for what is decrypted once. Returns how much of the beginning was read; the page
  /// cache has the rest, or is asked where the host does not read past it.
  std::size_t read_past_cache(std::uint64_t offset, MutableBytes destination) const {
    const bool aligned = offset % kPageBytes == 0 &&
                         reinterpret_cast<std::uintptr_t>(destination.data()) % kPageBytes == 0;
    if (!aligned || is_cached(offset)) return 0;
    const std::size_t pages = destination.size() / kPageBytes;
    return past_cache().read(offset, destination.first(pages * kPageBytes));
  }

  const PastCache& past_cache() const {
    std::call_once(looked_past_cache_, [this] { past_cache_.emplace(file_); });
    return *past_cache_;
  }

  Descriptor file_;
  mutable std::once_flag looked_past_cache_;
  mutable std::optional<PastCache> past_cache_;  // set once
};

class Listing {
 public:
  explicit Listing(DIR* stream) noexcept : stream_(stream) {}
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;
  ~Listing() { ::closedir(stream_); }

  Result<std::vector<FolderEntry>> read() {
    std::vector<FolderEntry> entries;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(stream_);
      if (entry == nullptr && errno != 0) return Error{Code::io, "base.files.list"};
      if (entry == nullptr) return entries;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (entries.size() == kEntriesMax) return Error{Code::too_large, "base.files.list"};
      struct stat status{};
      if (::fstatat(::dirfd(stream_), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;  // removed since it was read
        return Error{Code::io, "base.files.list"};
      }
      entries.push_back({std::string(name), kind_of(status.st_mode)});
    }
  }

 private:
  static FileKind kind_of(mode_t mode) {
    if (S_ISREG(mode)) return FileKind::regular;
    if (S_ISDIR(mode)) return FileKind::folder;
    return S_ISLNK(mode) ? FileKind::link : FileKind::other;
  }

  DIR* stream_;
};

class PosixFiles final : public Files {
 public:
  explicit PosixFiles(Descriptor root) noexcept : root_(std::move(root)) {}

  Result<std::unique_ptr<File>> open_for_reading(const std::string& path) override {
    // O_NONBLOCK: a FIFO put in a file's place must not hold the server.
    return open_file(path, O_RDONLY | O_NONBLOCK, "base.files.open");
  }

  Result<std::unique_ptr<File>> create(const std::string& path) override {
    return open_file(path, O_RDWR | O_CREAT | O_EXCL, "base.files.create");
  }

  Status rename(const std::string& from, const std::string& to) override {
    CLOISTER_ASSIGN(const Entry source, find(from));
    CLOISTER_ASSIGN(const Entry target, find(to));
    if (::renameat(source.folder.number(), source.name.c_str(), target.folder.number(),
                   target.name.c_str()) != 0) {
      return error_of(errno, "base.files.rename");
    }
    return Done{};
  }

  Status remove(const std::string& path) override {
    CLOISTER_ASSIGN(const Entry entry, find(path));
    if (::unlinkat(entry.folder.number(), entry.name.c_str(), 0) != 0) {
      return error_of(errno, "base.files.remove");
    }
    return Done{};
  }

  Status sync_folder(const std::string& path) override {
    CLOISTER_ASSIGN(const Descriptor folder, open_folder(path));
    if (::fsync(folder.number()) != 0) return Error{Code::io, "base.files.sync_folder"};
    return Done{};
  }

  Status make_folder(const std::string& path) override {
    CLOISTER_ASSIGN(const Entry entry, find(path));
    if (::mkdirat(entry.folder.number(), entry.name.c_str(), 0700) == 0) return Done{};
    if (errno != EEXIST) return error_of(errno, "base.files.make_folder");
    CLOISTER_TRY(open_at(entry.folder.number(), entry.name, kFolderFlags,
                         "base.files.make_folder"));
    return Done{};
  }

  Result<std::vector<FolderEntry>> list(const std::string& path) override {
    CLOISTER_ASSIGN(Descriptor folder, open_folder(path));
    DIR* stream = ::fdopendir(folder.number());
    if (stream == nullptr) return Error{Code::io, "base.files.list"};
    folder.release();
    return Listing(stream).read();
  }

  Result<std::unique_ptr<File>> lock(const std::string& path) override {
    CLOISTER_ASSIGN(const Entry entry, find(path));
    CLOISTER_ASSIGN(Descriptor file,
                    open_at(entry.folder.number(), entry.name,
                            O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                            "base.files.lock"));
    CLOISTER_ASSIGN(Descriptor regular, require_regular(std::move(file), "base.files.lock"));
    while (::flock(regular.number(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return Error{Code::conflict, "base.files.lock"};
      if (errno != EINTR) return Error{Code::io, "base.files.lock"};
    }
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(regular)));
  }

 private:
  /// Opens the folder that `path` names, one component at a time and never through a link. That
  /// needs no openat2(2), which library operating systems lack.
  Result<Descriptor> open_folder(const std::string& path) const {
    CLOISTER_ASSIGN(Descriptor folder,
                    open_at(root_.number(), ".", kFolderFlags, "base.files.folder"));
    if (path.empty()) return folder;
    CLOISTER_ASSIGN(const auto components, components_of(path));
    return descend(std::move(folder), components, components.size());
  }

  Result<Entry> find(const std::string& path) const {
    CLOISTER_ASSIGN(auto components, components_of(path));
    CLOISTER_ASSIGN(Descriptor root,
                    open_at(root_.number(), ".", kFolderFlags, "base.files.folder"));
    CLOISTER_ASSIGN(Descriptor folder,
                    descend(std::move(root), components, components.size() - 1));
    return Entry{std::move(folder), std::move(components.back())};
  }

  static Result<Descriptor> descend(Descriptor folder, const std::vector<std::string>& components,
                                    std::size_t depth) {
    int current = folder.release();
    for (std::size_t i = 0; i < depth; ++i) {
      const Descriptor parent(current);
      CLOISTER_ASSIGN(Descriptor next, open_at(parent.number(), components[i], kFolderFlags,
                                               "base.files.folder"));
      current = next.release();
    }
    return Descriptor(current);
  }

  Result<std::unique_ptr<File>> open_file(const std::string& path, int flags, Place where) const {
    CLOISTER_ASSIGN(const Entry entry, find(path));
    CLOISTER_ASSIGN(Descriptor file, open_at(entry.folder.number(), entry.name,
                                             flags | O_NOFOLLOW | O_CLOEXEC, where));
    CLOISTER_ASSIGN(Descriptor regular, require_regular(std::move(file), where));
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(regular)));
  }

  Descriptor root_;
};

}  // namespace

Result<std::unique_ptr<Files>> open_posix_files(const std::string& folder, IfAbsent if_absent) {
  if (if_absent == IfAbsent::create && ::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return error_of(errno, "base.files.root");
  }
  CLOISTER_ASSIGN(Descriptor root, open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                           "base.files.root"));
  return std::unique_ptr<Files>(std::make_unique<PosixFiles>(std::move(root)));
}

}  // namespace cloister
