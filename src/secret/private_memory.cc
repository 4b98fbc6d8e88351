#include "secret/private_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "secret/huge_pages.h"
#include "secret/secret_bytes.h"

namespace cloister {
namespace {

constexpr std::uint64_t kPrivateMemoryMax = 64ULL << 30;

// The sizes in which a pool keeps blocks; a request takes the smallest that holds it.
constexpr std::array<std::size_t, 6> kKeptSizes = {64U << 10, 256U << 10, 1U << 20,
                                                   4U << 20,  10U << 20,  32U << 20};

std::size_t page_size() noexcept {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// The bytes of address space for `size`: Linux puts a mapping of whole huge pages, and no other,
/// at the beginning of one.
std::size_t mapped(std::uint64_t size) noexcept {
  if (size < kHugePage) return size;
  return (size + kHugePage - 1) / kHugePage * kHugePage;
}

/// A wish for huge pages where `size` bytes of a memory file fill them whole, and for none in the
/// rest of its mapping of `mapping` bytes, so that no more memory is taken than was asked for.
/// Hosts that have none for shared memory (shmem_enabled) ignore it.
void wish_for_huge_pages(std::byte* start, std::size_t size, std::size_t mapping) noexcept {
  const std::size_t whole = size / kHugePage * kHugePage;
  if (whole > 0) madvise(start, whole, MADV_HUGEPAGE);
  madvise(start + whole, mapping - whole, MADV_NOHUGEPAGE);
}

/// The place in kKeptSizes of the smallest block that holds `size`; past its end for larger ones.
std::size_t size_class(std::uint64_t size) noexcept {
  std::size_t at = 0;
  while (at < kKeptSizes.size() && size > kKeptSizes[at]) ++at;
  return at;
}

}  // namespace

/// The blocks of one pool that nobody uses now, those that came back last. All of them are zero.
class KeptBlocks {
 public:
  explicit KeptBlocks(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  KeptBlocks(const KeptBlocks&) = delete;
  KeptBlocks& operator=(const KeptBlocks&) = delete;
  ~KeptBlocks() {
    for (const Block& block : blocks_) munmap(block.start, kKeptSizes[block.at]);
  }

  /// The block of kKeptSizes[at] bytes that came back last, or nothing.
  std::byte* take(std::size_t at) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const auto found = std::find_if(blocks_.rbegin(), blocks_.rend(),
                                    [at](const Block& block) { return block.at == at; });
    if (found == blocks_.rend()) return nullptr;
    std::byte* start = found->start;
    blocks_.erase(std::next(found).base());
    bytes_ -= kKeptSizes[at];
    return start;
  }

  /// Keeps a block that holds zeros. What has waited longest makes room for it: a large block that
  /// was used once must not keep out small ones that are used all the time.
  void give_back(std::byte* start, std::size_t at) noexcept EXCLUDES(mutex_) {
    if (!keep({start, at})) munmap(start, kKeptSizes[at]);
    while (const auto block = surplus()) munmap(block->start, kKeptSizes[block->at]);
  }

 private:
  struct Block {
    std::byte* start = nullptr;
    std::size_t at = 0;  ///< of its size in kKeptSizes
  };

  bool keep(const Block& block) noexcept EXCLUDES(mutex_) {
    if (kKeptSizes[block.at] > bytes_max_) return false;
    const MutexLock lock(mutex_);
    try {
      blocks_.push_back(block);
    } catch (...) {
      return false;
    }
    bytes_ += kKeptSizes[block.at];
    return true;
  }

  /// Takes the block that has waited longest, where more are kept than may be.
  std::optional<Block> surplus() noexcept EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (bytes_ <= bytes_max_) return std::nullopt;
    const Block block = blocks_.front();
    blocks_.pop_front();
    bytes_ -= kKeptSizes[block.at];
    return block;
  }

  Mutex mutex_;
  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ GUARDED_BY(mutex_) = 0;
  std::deque<Block> blocks_ GUARDED_BY(mutex_);  // in the order in which they came back
};

/// The memory files of one pool that nobody uses now. All of them are zero.
class KeptFiles {
 public:
  /// Every file of a pool is as large as any can be, and mapped whole, so that one which was small
  /// can become large: only pages that were touched take memory.
  static constexpr std::uint64_t kFileBytes = kPrivateMemoryMax + kHugePage;
  struct File {
    int number = -1;
    std::byte* start = nullptr;
    std::size_t touched = 0;  ///< bytes from its beginning
  };

  static constexpr std::size_t kExcess = 32;  ///< the share of a file that may be too much

  explicit KeptFiles(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  KeptFiles(const KeptFiles&) = delete;
  KeptFiles& operator=(const KeptFiles&) = delete;
  ~KeptFiles() {
    for (const File& file : files_) destroy(file);
  }

  static void destroy(const File& file) noexcept {
    munmap(file.start, kFileBytes);
    close(file.number);
  }

  /// The file with the most memory of those that have hardly more than `bytes`; nothing where there
  /// is none. What a file has cannot be taken from it: workers' files are sealed against writing,
  /// and giving pages back counts as that.
  File take(std::size_t bytes) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    auto best = files_.end();
    for (auto file = files_.begin(); file != files_.end(); ++file) {
      if (file->touched > bytes + bytes / kExcess) continue;
      if (best == files_.end() || file->touched > best->touched) best = file;
    }
    if (best == files_.end()) return {};
    const File file = *best;
    files_.erase(best);
    bytes_ -= file.touched;
    return file;
  }

  /// Wipes and keeps `file`, or frees it where enough is kept or it is hardly worth it.
  void give_back(const File& file) noexcept EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      if (file.touched < kHugePage || file.touched > bytes_max_ - bytes_) return destroy(file);
      bytes_ += file.touched;
    }
    wipe({file.start, file.touched});
    const MutexLock lock(mutex_);
    try {
      files_.push_back(file);
    } catch (...) {
      bytes_ -= file.touched;
      destroy(file);
    }
  }

 private:
  Mutex mutex_;
  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ GUARDED_BY(mutex_) = 0;  // those being wiped included
  std::vector<File> files_ GUARDED_BY(mutex_);
};

Result<PrivateMemory> PrivateMemory::reserve(std::uint64_t size) {
  if (size == 0 || size > kPrivateMemoryMax) return Error{Code::too_large, "private_memory.size"};
  void* start = mmap(nullptr, mapped(size), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return Error{Code::io, "private_memory.map"};
  // Both are wishes: a host without them costs time or a larger dump, which are refused elsewhere.
  if (size >= kHugePage) madvise(start, mapped(size), MADV_HUGEPAGE);
  madvise(start, mapped(size), MADV_DONTDUMP);
  return PrivateMemory(static_cast<std::byte*>(start), size);
}

Result<PrivateMemory> PrivateMemory::reserve_shareable(std::uint64_t size) {
  if (size == 0 || size > kPrivateMemoryMax) return Error{Code::too_large, "private_memory.size"};
  return map_file(size, tail_offset(size) + page_size());
}

Result<PrivateMemory> PrivateMemory::map_file(std::uint64_t size, std::uint64_t whole) {
  PrivateMemory memory;
  memory.file_ = memfd_create("cloister", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  // A size that cannot change: nobody who is given the file can take pages away from its readers.
  if (memory.file_ < 0 || ftruncate(memory.file_, static_cast<off_t>(whole)) != 0 ||
      fcntl(memory.file_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    return Error{Code::io, "private_memory.file"};
  }
  memory.start_ = map_shared_file(memory.file_, whole, PROT_READ | PROT_WRITE);
  if (memory.start_ == nullptr) return Error{Code::io, "private_memory.map"};
  memory.size_ = size;
  madvise(memory.start_, whole, MADV_DONTDUMP);
  wish_for_huge_pages(memory.start_, size, whole);
  return memory;
}

std::uint64_t PrivateMemory::tail_offset(std::uint64_t size) noexcept {
  return (size + page_size() - 1) / page_size() * page_size();
}

MutableBytes PrivateMemory::tail() noexcept {
  if (file_ < 0) return {};
  return {start_ + tail_offset(size_), page_size()};
}

PrivateMemory::PrivateMemory(PrivateMemory&& other) noexcept
    : start_(std::exchange(other.start_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      file_(std::exchange(other.file_, -1)),
      origin_(std::move(other.origin_)),
      files_(std::move(other.files_)),
      touched_(std::exchange(other.touched_, 0)) {}

PrivateMemory& PrivateMemory::operator=(PrivateMemory&& other) noexcept {
  std::swap(start_, other.start_);
  std::swap(size_, other.size_);
  std::swap(file_, other.file_);
  std::swap(origin_, other.origin_);
  std::swap(files_, other.files_);
  std::swap(touched_, other.touched_);
  return *this;
}

PrivateMemory::~PrivateMemory() {
  if (files_ != nullptr) {
    files_->give_back({file_, start_, touched_});
    return;
  }
  const bool shareable = file_ >= 0;
  if (shareable) close(file_);
  if (start_ == nullptr) return;
  if (origin_ != nullptr) {
    wipe(bytes());
    origin_->give_back(start_, size_class(size_));
    return;
  }
  // The kernel hands pages to others only after clearing them, and pages never touched need no
  // wiping: unmapping is the wipe.
  munmap(start_, shareable ? tail_offset(size_) + page_size() : mapped(size_));
}

void PrivateMemory::release(std::size_t offset, std::size_t length) noexcept {
  const std::size_t page = page_size();
  const std::size_t end =
      std::min(size_, offset + std::min(length, size_ - std::min(size_, offset)));
  const std::size_t first = (offset + page - 1) / page * page;
  const std::size_t last = end / page * page;
  if (first >= last) return;
  madvise(start_ + first, last - first, file_ < 0 ? MADV_DONTNEED : MADV_REMOVE);
}

PrivateMemoryPool::PrivateMemoryPool(std::uint64_t kept_bytes_max)
    : kept_(std::make_shared<KeptBlocks>(kept_bytes_max)) {}

Result<PrivateMemory> PrivateMemoryPool::reserve(std::uint64_t size) {
  const std::size_t at = size_class(size);
  if (size == 0 || at == kKeptSizes.size()) return PrivateMemory::reserve(size);
  std::byte* start = kept_->take(at);
  if (start == nullptr) {
    CLOISTER_ASSIGN(PrivateMemory fresh, PrivateMemory::reserve(kKeptSizes[at]));
    start = std::exchange(fresh.start_, nullptr);
  }
  PrivateMemory block(start, size);
  block.origin_ = kept_;
  return block;
}

namespace {

HugePages huge_pages_of_host() noexcept {
  const auto has_one = [](const PrivateMemory& block) {
    constexpr std::uint64_t kBlock = 512;
    struct stat entry {};
    return fstat(block.file(), &entry) == 0 &&
           static_cast<std::uint64_t>(entry.st_blocks) * kBlock >= kHugePage;
  };
  Result<PrivateMemory> unasked = PrivateMemory::reserve_shareable(kHugePage);
  if (!unasked.ok()) return HugePages::none;
  unasked.value().bytes()[0] = std::byte{1};
  if (has_one(unasked.value())) return HugePages::unasked;
  Result<PrivateMemory> asked = PrivateMemory::reserve_shareable(kHugePage);
  if (!asked.ok() || !ask_for_huge_page(asked.value().bytes().data())) return HugePages::none;
  return has_one(asked.value()) ? HugePages::when_asked : HugePages::none;
}

}  // namespace

ShareableMemoryPool::ShareableMemoryPool(std::uint64_t kept_bytes_max)
    : kept_(std::make_shared<KeptFiles>(kept_bytes_max)), huge_pages_(huge_pages_of_host()) {}

void ShareableMemoryPool::before_filling(MutableBytes part) noexcept {
  if (huge_pages_ != HugePages::when_asked || part.size() < kHugePage) return;
  if (asking_.load(std::memory_order_relaxed) && !ask_for_huge_page(part.data())) {
    asking_.store(false, std::memory_order_relaxed);  // each vain attempt looks for one at length
  }
}

Result<PrivateMemory> ShareableMemoryPool::reserve(std::uint64_t size) {
  if (size == 0 || size > kPrivateMemoryMax) return Error{Code::too_large, "private_memory.size"};
  asking_.store(true, std::memory_order_relaxed);
  const std::size_t needed = PrivateMemory::tail_offset(size) + page_size();
  KeptFiles::File file = kept_->take(needed);
  PrivateMemory memory;
  if (file.start == nullptr) {
    CLOISTER_ASSIGN(memory, PrivateMemory::map_file(size, KeptFiles::kFileBytes));
  } else {
    memory.file_ = file.number;
    memory.start_ = file.start;
    wish_for_huge_pages(memory.start_, size, KeptFiles::kFileBytes);
  }
  memory.size_ = size;
  memory.touched_ = std::max(file.touched, needed);
  memory.files_ = kept_;
  return memory;
}

}  // namespace cloister
