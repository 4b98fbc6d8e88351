#include "sandbox/linux/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "secret/huge_pages.h"

namespace cloister {
namespace {

constexpr std::uint64_t kFileBytesMax = 64ULL << 30;
constexpr std::uint64_t kSealedFileMax = 1ULL << 30;
constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;

// Newer kernels want to be told whether a memory file may be executed; older ones refuse the word.
Descriptor create(Executable executable) {
  constexpr unsigned kNoExec = 0x0008U;
  constexpr unsigned kExec = 0x0010U;
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const unsigned wanted = executable == Executable::yes ? kExec : kNoExec;
  Descriptor file(::memfd_create("cloister", kFlags | wanted));
  if (!file.open() && errno == EINVAL) file = Descriptor(::memfd_create("cloister", kFlags));
  return file;
}

Result<Descriptor> create_sized(std::uint64_t size, Executable executable) {
  if (size == 0 || size > kFileBytesMax) return Error{Code::too_large, "sandbox.memory_file"};
  Descriptor file = create(executable);
  if (!file.open() || ::ftruncate(file.number(), static_cast<off_t>(size)) != 0) {
    return Error{Code::io, "sandbox.memory_file"};
  }
  return file;
}

Status write_all(int file, std::uint64_t offset, Bytes content) {
  while (!content.empty()) {
    const ssize_t count =
        ::pwrite(file, content.data(), content.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Error{Code::io, "sandbox.write"};
    content = content.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return Done{};
}

Status read_all(int source, MutableBytes content) {
  for (std::size_t done = 0; done < content.size();) {
    const MutableBytes rest = content.subspan(done);
    if (done % kHugePage == 0 && rest.size() >= kHugePage) ask_for_huge_page(rest.data());
    const ssize_t count = ::pread(source, rest.data(), std::min(rest.size(), kHugePage),
                                  static_cast<off_t>(done));
    if (count <= 0) return Error{Code::io, "sandbox.read"};
    done += static_cast<std::size_t>(count);
  }
  return Done{};
}

/// The first `size` bytes of `source` into the memory file `file`: into huge pages where the host
/// has them, so that a program's code, mapped from there, takes few places among addresses.
Status fill(int file, int source, std::uint64_t size) {
  std::byte* const start = map_shared_file(file, size, PROT_READ | PROT_WRITE);
  if (start == nullptr) return Error{Code::io, "sandbox.map"};
  Status filled = read_all(source, {start, size});
  ::munmap(start, size);
  return filled;
}

// The kernel refuses to forbid writing while somebody holds a page, be it itself that moves one.
Status seal(int file, int more) {
  constexpr std::chrono::seconds kPatience(2);
  constexpr std::chrono::milliseconds kPause(10);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (::fcntl(file, F_ADD_SEALS, kSizeSeals | F_SEAL_SEAL | more) != 0) {
    if (errno != EBUSY || std::chrono::steady_clock::now() > until) {
      return Error{Code::io, "sandbox.seal"};
    }
    std::this_thread::sleep_for(kPause);
  }
  return Done{};
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Result<Mapping> Mapping::map(int file, std::uint64_t size, Access access, std::uint64_t offset) {
  struct stat entry {};
  if (size == 0 || size > kFileBytesMax || offset > kFileBytesMax || ::fstat(file, &entry) != 0 ||
      static_cast<std::uint64_t>(entry.st_size) < offset + size) {
    return Error{Code::corrupt, "sandbox.map_size"};
  }
  const int seals = ::fcntl(file, F_GET_SEALS);
  if (seals < 0 || (seals & kSizeSeals) != kSizeSeals) {
    return Error{Code::corrupt, "sandbox.map_seals"};
  }
  int protection = PROT_NONE;
  if (access == Access::read) protection = PROT_READ;
  if (access == Access::read_write) protection = PROT_READ | PROT_WRITE;
  std::byte* const start = map_shared_file(file, size, protection, offset);
  if (start == nullptr) return Error{Code::io, "sandbox.map"};
  ::madvise(start, size, MADV_DONTDUMP);
  return Mapping(start, size);
}

Mapping::Mapping(Mapping&& other) noexcept
    : start_(std::exchange(other.start_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(start_, other.start_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (start_ != nullptr) ::munmap(start_, size_);
}

Result<Descriptor> make_memory_file(std::uint64_t size) {
  CLOISTER_ASSIGN(Descriptor file, create_sized(size, Executable::no));
  CLOISTER_TRY(seal(file.number(), 0));
  return file;
}

Result<Descriptor> make_growing_file() {
  Descriptor file = create(Executable::no);
  if (!file.open()) return Error{Code::io, "sandbox.memory_file"};
  return file;
}

Result<PrivateMemory> read_growing_file(int file, std::uint64_t size_max) {
  struct stat entry {};
  if (::fstat(file, &entry) != 0) return Error{Code::io, "sandbox.stat"};
  const auto size = static_cast<std::uint64_t>(entry.st_size);
  if (size == 0) return Error{Code::corrupt, "sandbox.empty"};
  if (size > size_max) return Error{Code::too_large, "sandbox.growing_file"};
  CLOISTER_ASSIGN(PrivateMemory memory, PrivateMemory::reserve(size));
  for (std::uint64_t done = 0; done < size;) {
    const ssize_t count = ::pread(file, memory.bytes().data() + done, size - done,
                                  static_cast<off_t>(done));
    if (count <= 0) return Error{Code::io, "sandbox.read"};
    done += static_cast<std::uint64_t>(count);
  }
  return memory;
}

Result<Descriptor> make_memory_file(Bytes content, Executable executable) {
  CLOISTER_ASSIGN(Descriptor file, create_sized(content.size(), executable));
  CLOISTER_TRY(write_all(file.number(), 0, content));
  CLOISTER_TRY(seal(file.number(), F_SEAL_WRITE));
  return file;
}

Status seal_against_new_writers(int file) {
  const int seals = ::fcntl(file, F_GET_SEALS);
  if (seals >= 0 && (seals & F_SEAL_FUTURE_WRITE) != 0) return Done{};
  return seal(file, F_SEAL_FUTURE_WRITE);
}

Result<SealedFile> seal_file(const std::string& path) {
  const Descriptor source(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source.open()) {
    const bool absent = errno == ENOENT || errno == ENOTDIR;
    return Error{absent ? Code::not_found : Code::io, "sandbox.open"};
  }
  struct stat entry {};
  if (::fstat(source.number(), &entry) != 0 || !S_ISREG(entry.st_mode) || entry.st_size <= 0) {
    return Error{Code::io, "sandbox.stat"};
  }
  const auto size = static_cast<std::uint64_t>(entry.st_size);
  if (size > kSealedFileMax) return Error{Code::too_large, "sandbox.program"};
  CLOISTER_ASSIGN(Descriptor file, create_sized(size, Executable::yes));
  CLOISTER_TRY(fill(file.number(), source.number(), size));
  CLOISTER_TRY(seal(file.number(), F_SEAL_WRITE));
  CLOISTER_ASSIGN(Mapping content, Mapping::map(file.number(), size, Mapping::Access::read));
  return SealedFile{std::move(file), std::move(content)};
}

void discard(int file, std::uint64_t offset, std::uint64_t length) noexcept {
  ::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
              static_cast<off_t>(length));
}

std::uint64_t memory_of(int file) noexcept {
  struct stat entry {};
  if (::fstat(file, &entry) != 0) return 0;
  return static_cast<std::uint64_t>(entry.st_blocks) * 512;
}

}  // namespace cloister
