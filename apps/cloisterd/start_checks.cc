#include "start_checks.h"

#include <string_view>

#include "base/posix/process.h"
#include "encoding/hex.h"
#include "evidence/claims.h"

namespace cloister {
namespace {

constexpr std::uint64_t kProgramBytesMax = 256ULL << 20;

Result<Sha256Digest> digest_of(const std::string& path) {
  CLOISTER_ASSIGN(const ByteVector content, read_operator_file(path, kProgramBytesMax));
  return sha256(content);
}

/// Beside an installed program, else where it was built.
Result<std::string> find_runtime(const std::string& program) {
  const std::string folder = program.substr(0, program.rfind('/'));
  for (const std::string& candidate : {folder + "/../lib/cloister/libonnxruntime.so.1.27.0",
                                       std::string(CLOISTER_RUNTIME_LIBRARY)}) {
    if (read_operator_file(candidate, kProgramBytesMax).ok()) return candidate;
  }
  return Error{Code::not_found, "start.runtime",
               Detail("ONNX Runtime's library was not found; ./dev setup fetches it")};
}

}  // namespace

Result<Software> check_software() {
  CLOISTER_ASSIGN(const std::string program, program_path());
  Software software;
  CLOISTER_ASSIGN(software.runtime_library, find_runtime(program));
  CLOISTER_ASSIGN(const Sha256Digest runtime, digest_of(software.runtime_library));
  if (hex_encode(runtime) != std::string_view(CLOISTER_RUNTIME_SHA256)) {
    return Error{Code::unverified, "start.runtime",
                 Detail("ONNX Runtime's library is not the one that this server was built with")};
  }
  CLOISTER_ASSIGN(const Sha256Digest server, digest_of("/proc/self/exe"));
  // Without a worker process there is no second program: its digest is that of nothing.
  software.digest = software_digest(server, sha256({}), runtime);
  return software;
}

Status check_machine(const ServerConfig& config) {
  if (config.allow_swap) return Done{};
  CLOISTER_ASSIGN(const bool swapping, swap_is_active());
  if (!swapping) return Done{};
  return Error{Code::unavailable, "start.swap",
               Detail("this machine has active swap, to which plaintext could be written; turn it "
                      "off, or set \"allow_swap\": true, which the evidence then says")};
}

}  // namespace cloister
