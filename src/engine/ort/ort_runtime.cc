#include "engine/ort/ort_runtime.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string_view>
#include <utility>

#include "engine/ort/library_place.h"
#include "engine/ort/ort_library.h"

namespace cloister {
namespace {

constexpr std::uint64_t kLibraryBytesMax = 1ULL << 30;
constexpr std::size_t kErrorTextMax = 1000;

void drop_log(void*, int, const char*, const char*, const char*, const char*) {}

/// A file's content, mapped; unmapped in the destructor.
class Content {
 public:
  /// Fails: `io`.
  static Result<Content> of(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return Error{Code::io, "ort.open"};
    struct stat entry {};
    const bool sized = ::fstat(file, &entry) == 0 && S_ISREG(entry.st_mode) && entry.st_size > 0 &&
                       static_cast<std::uint64_t>(entry.st_size) <= kLibraryBytesMax;
    const std::size_t size = sized ? static_cast<std::size_t>(entry.st_size) : 0;
    void* const start = sized ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    ::close(file);
    if (start == MAP_FAILED) return Error{Code::io, "ort.map"};
    return Content(static_cast<std::byte*>(start), size);
  }
  Content(Content&& other) noexcept
      : start_(std::exchange(other.start_, nullptr)), size_(other.size_) {}
  Content& operator=(Content&&) = delete;
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
  ~Content() {
    if (start_ != nullptr) ::munmap(start_, size_);
  }
  Bytes bytes() const noexcept { return {start_, size_}; }

 private:
  Content(std::byte* start, std::size_t size) noexcept : start_(start), size_(size) {}
  std::byte* start_;
  std::size_t size_;
};

}  // namespace

Result<std::shared_ptr<const OrtRuntime>> OrtRuntime::open(const std::string& library,
                                                           std::optional<OrtThreads> shared) {
  CLOISTER_ASSIGN(const Content content, Content::of(library));
  CLOISTER_TRY(check_runtime_library(content.bytes()));
  if (::setenv("ORT_DISABLE_TELEMETRY", "1", 1) != 0 ||
      ::setenv("ORT_TELEMETRY_DISABLED", "1", 1) != 0) {
    return Error{Code::io, "ort.environment"};
  }
  void* handle = nullptr;
  {
    const LibraryPlace place(content.bytes());
    handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  if (handle == nullptr) return Error{Code::io, "ort.dlopen"};
  const auto entry_function =
      reinterpret_cast<OrtEntryFunction>(::dlsym(handle, kOrtEntryName));
  if (entry_function == nullptr) return Error{Code::unverified, "ort.entry"};
  const OrtEntry* const entry = entry_function();
  if (!std::string_view(entry->version()).starts_with(kOrtVersionPrefix)) {
    return Error{Code::unverified, "ort.version"};
  }
  const OrtFunctions* const functions = entry->functions(kOrtAbiVersion);
  if (functions == nullptr) return Error{Code::unverified, "ort.abi"};

  std::shared_ptr<OrtRuntime> runtime(new OrtRuntime(functions));
  CLOISTER_TRY(runtime->make_env(shared));
  CLOISTER_TRY(runtime->settle(functions->create_cpu_memory_info(
                                   kOrtDeviceAllocator, kOrtMemoryDefault, &runtime->memory_),
                               "ort.memory_info"));
  return std::shared_ptr<const OrtRuntime>(std::move(runtime));
}

Status OrtRuntime::make_env(std::optional<OrtThreads> shared) {
  if (!shared) {
    return settle(
        functions_->create_env_with_sink(drop_log, nullptr, kOrtSeverityFatal, "", &env_),
        "ort.env");
  }
  CLOISTER_ASSIGN(const auto threads,
                  create<OrtThreadingOptions>(functions_->create_threading_options,
                                              functions_->release_threading_options,
                                              "ort.threading_options"));
  CLOISTER_TRY(settle(functions_->set_shared_intra_op_threads(threads.get(), shared->intra_op),
                      "ort.intra_op_threads"));
  CLOISTER_TRY(settle(functions_->set_shared_inter_op_threads(threads.get(), shared->inter_op),
                      "ort.inter_op_threads"));
  return settle(functions_->create_env_with_threads(drop_log, nullptr, kOrtSeverityFatal, "",
                                                    threads.get(), &env_),
                "ort.env");
}

OrtRuntime::~OrtRuntime() {
  functions_->release_memory_info(memory_);
  functions_->release_env(env_);
}

Status OrtRuntime::settle(OrtOutcome outcome, Place where, Code invalid_argument) const {
  if (outcome == nullptr) return Done{};
  const bool invalid = functions_->error_code(outcome) == kOrtInvalidArgument;
  const char* const text = functions_->error_message(outcome);
  std::string detail;
  if (text != nullptr) detail.assign(text, ::strnlen(text, kErrorTextMax));
  functions_->release_status(outcome);
  return Error{invalid ? invalid_argument : Code::internal, where, Detail(std::move(detail))};
}

}  // namespace cloister
