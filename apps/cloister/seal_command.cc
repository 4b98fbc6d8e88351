// Sealing a model on its owner's machine, for one attested server.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

#include "commands.h"
#include "encoding/base64.h"
#include "local_files.h"
#include "server_access.h"
#include "sealed/sealed_model.h"

namespace cloister {
namespace {

Error cannot(const std::string& why) { return Error{Code::unverified, "cli.seal", Detail(why)}; }

/// The key in `text` where it is the one that the evidence vouches for.
std::optional<KemPublicKey> key_in(const JsonValue& text, const Sha256Digest& vouched) {
  if (!text.text()) return {};
  const auto bytes = base64_decode(*text.text());
  KemPublicKey key{};
  if (!bytes.ok() || bytes.value().size() != key.size()) return {};
  std::ranges::copy(bytes.value(), key.begin());
  if (sha256(spki_of(key)) != vouched) return {};
  return key;
}

/// The server's key for sealed models: of those that it says, the one that its evidence vouches
/// for, be it that another took its place since the connection began.
Result<KemPublicKey> attested_key(ServerAccess& access) {
  const auto& claims = access.verdict.claims;
  if (!claims || !claims->hpke_key) return cannot("the evidence names no key to seal models to");
  CLOISTER_ASSIGN(const ClientResponse answer, access.session->send({"GET", "/v2", {}}));
  CLOISTER_ASSIGN(const JsonValue server, parse_json(answer.body));
  const JsonValue* facts = server.find("confidential");
  const JsonValue* shown = facts == nullptr ? nullptr : facts->find("hpke_key");
  if (shown == nullptr) return cannot("the server names no key to seal models to");
  if (const auto key = key_in(*shown, *claims->hpke_key)) return *key;
  if (const JsonValue* kept = facts->find("hpke_keys_kept"); kept != nullptr && kept->is_array()) {
    for (const JsonValue& each : kept->items()) {
      if (const auto key = key_in(each, *claims->hpke_key)) return *key;
    }
  }
  return cannot("the server shows another key than its evidence vouches for");
}

Result<SealedHeader> header_of(const Options& options, const Claims& claims, const File& file,
                               UtcSeconds now) {
  SealedHeader header;
  header.owner.value = options.principal;
  header.name = options.model;
  header.version.value = options.granted_version;
  header.expires = now + std::chrono::days(options.days);
  CLOISTER_ASSIGN(header.size, file.size());
  CLOISTER_ASSIGN(header.sha256, sha256_of_file(file));
  if (!options.any_software) header.policy.software = claims.software;
  if (!options.any_configuration) header.policy.configuration = claims.configuration;
  header.policy.isolation = claims.isolation;
  header.policy.anchor = claims.anchor;
  return header;
}

/// Writes the sealed file piece by piece; what is left of a failure is removed.
Status write_sealed(const File& model, std::uint64_t size, ModelSealer& sealer,
                    const std::string& path, ProgressBar& bar) {
  std::FILE* const out = std::fopen(path.c_str(), "wbx");
  if (out == nullptr) {
    return Error{Code::io, "cli.seal.output",
                 Detail(path + ": cannot be made, or is there already")};
  }
  const auto put = [out](Bytes bytes) {
    return std::fwrite(bytes.data(), 1, bytes.size(), out) == bytes.size();
  };
  const auto write_all = [&]() -> Status {
    const Error failed{Code::io, "cli.seal.write", Detail(path + ": cannot be written")};
    if (!put(sealer.preface())) return failed;
    ByteVector piece(std::min<std::uint64_t>(size, kSealedChunkBytes));
    for (std::uint64_t at = 0; at < size; at += piece.size()) {
      piece.resize(std::min<std::uint64_t>(size - at, kSealedChunkBytes));
      CLOISTER_TRY(model.read_at(at, piece));
      CLOISTER_ASSIGN(const ByteVector chunk, sealer.chunk(piece));
      if (!put(chunk)) return failed;
      bar.update(at + piece.size(), size);
    }
    return std::fflush(out) == 0 ? Status(Done{}) : Status(failed);
  };
  const Status written = write_all();
  std::fclose(out);
  if (!written.ok()) std::remove(path.c_str());
  return written;
}

}  // namespace

Outcome run_seal(const Options& options, Tools& tools) {
  const auto model = open_model(options.file);
  if (!model.ok()) return ConsoleReport::failed(model.error());
  const File& file = *model.value().file;
  ServerAccess access = open_server(options, tools, TokenUse::none);
  if (!access.session) return access.outcome;
  const auto key = attested_key(access);
  if (!key.ok()) return ConsoleReport::failed(key.error());
  const auto header =
      header_of(options, *access.verdict.claims, file, tools.clock.utc());
  if (!header.ok()) return ConsoleReport::failed(header.error());
  auto sealer = ModelSealer::make(header.value(), key.value());
  if (!sealer.ok()) {
    return wrong_usage("a model's name and its owner's id are of A-Z a-z 0-9 _ -, at most 64; a "
                       "version is 1 to 2147483648; a file has a byte at least");
  }
  ProgressBar bar(tools.clock, options.progress || errors_go_to_a_terminal());
  const Status written =
      write_sealed(file, header.value().size, sealer.value(), options.output, bar);
  if (!written.ok()) return ConsoleReport::failed(written.error());
  print_line("sealed for this server alone: " + printable(options.output) + "; " +
             printable(options.principal) + " uploads it as " + printable(options.model) +
             " version " + std::to_string(options.granted_version));
  return Outcome::done;
}

}  // namespace cloister
