#include "start_checks.h"

#include <cerrno>
#include <string_view>
#include <system_error>

#include "base/posix/process.h"
#include "encoding/hex.h"
#include "evidence/claims.h"

namespace cloister {
namespace {

constexpr std::uint64_t kProgramBytesMax = 256ULL << 20;
// Stores, workers and memory files, beside the connections.
constexpr std::uint64_t kOtherFiles = 512;

/// A part of this server that lies beside it on disk.
struct Part {
  std::string name;         ///< for whoever starts the server
  std::string installed;    ///< relative to the program's folder
  std::string built;        ///< where the build left it
  std::string_view sha256;  ///< of the build, in hexadecimal
};

/// The part, wherever it is, as the build knows it.
Result<SealedFile> seal_part(const std::string& folder, const Part& part) {
  auto sealed = seal_file(folder + part.installed);
  if (!sealed.ok() && sealed.error().code == Code::not_found) sealed = seal_file(part.built);
  if (!sealed.ok()) {
    const std::string reason = std::generic_category().message(errno);
    const Error& error = sealed.error();
    return Error{error.code, error.where,
                 Detail(part.name + (error.code == Code::not_found
                                         ? " was not found"
                                         : " cannot be read into sealed memory: " + reason))};
  }
  if (hex_encode(sha256(sealed.value().content.bytes())) != part.sha256) {
    return Error{Code::unverified, "start.part",
                 Detail(part.name + " is not the one that this server was built with")};
  }
  return sealed;
}

}  // namespace

Result<Software> check_software(const ServerConfig& config) {
  CLOISTER_ASSIGN(const std::string program, program_path());
  const std::string folder = program.substr(0, program.rfind('/'));
  Software software;
  CLOISTER_ASSIGN(
      software.library,
      seal_part(folder, {"ONNX Runtime's library", "/../lib/cloister/libonnxruntime.so.1.27.0",
                         CLOISTER_RUNTIME_LIBRARY, CLOISTER_RUNTIME_SHA256}));
  // Without a worker process there is no second program: its digest is that of nothing.
  Sha256Digest worker = sha256({});
  if (config.isolation == "process") {
    CLOISTER_ASSIGN(software.worker,
                    seal_part(folder, {"cloister-sandbox", "/cloister-sandbox",
                                       folder + "/cloister-sandbox", kWorkerSha256}));
    worker = sha256(software.worker->content.bytes());
    software.worker->content = Mapping();
  }
  const Sha256Digest library = sha256(software.library.content.bytes());
  software.library.content = Mapping();
  CLOISTER_ASSIGN(const ByteVector server, read_operator_file("/proc/self/exe", kProgramBytesMax));
  software.digest = software_digest(sha256(server), worker, library);
  return software;
}

Status check_machine(const ServerConfig& config) {
  if (!allow_open_files(config.connections_max + kOtherFiles).ok()) {
    return Error{Code::unavailable, "start.open_files",
                 Detail("\"connections_max\" needs more open files than this process may have; "
                        "raise its hard limit (ulimit -Hn) or lower the setting")};
  }
  if (config.allow_swap) return Done{};
  CLOISTER_ASSIGN(const bool swapping, swap_is_active());
  if (!swapping) return Done{};
  return Error{Code::unavailable, "start.swap",
               Detail("this machine has active swap, to which plaintext could be written; turn it "
                      "off, or set \"allow_swap\": true, which the evidence then says")};
}

}  // namespace cloister
