// Receipts: keeping one with what proves it, and judging it years later without any connection.
#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "commands.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "encoding/json_writer.h"
#include "evidence/receipt.h"
#include "local_files.h"
#include "receipt_folder.h"
#include "verifier/later_news.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

constexpr std::uint64_t kBodyBytesMax = 4ULL << 30;
constexpr const char* kReceiptFile = "receipt.cbor";
constexpr const char* kCertificateFile = "certificate.der";
constexpr const char* kEndorsements = "endorsements";

Error not_ours(const char* what) {
  return Error{Code::unverified, "cli.receipt", Detail(std::string("the receipt ") + what)};
}

Result<Receipt> receipt_in(const ClientResponse& response) {
  const auto text = response.header("cloister-receipt");
  if (!text) return not_ours("is missing: the server gave none");
  CLOISTER_ASSIGN(const ByteVector encoded, base64url_decode(*text));
  return Receipt::read(encoded);
}

Result<Sha256Digest> digest_of_file(const std::string& path) {
  CLOISTER_ASSIGN(const ByteVector content, read_local_file(path, kBodyBytesMax));
  return sha256(content);
}

/// Whether `statement` is about this body, where one was named.
Status check_body(const std::string& path, const Sha256Digest& stated, const char* complaint) {
  if (path.empty()) return Done{};
  CLOISTER_ASSIGN(const Sha256Digest digest, digest_of_file(path));
  return digest == stated ? Status(Done{}) : Status(not_ours(complaint));
}

std::string statement_json(const ReceiptStatement& statement) {
  std::string json;
  JsonWriter(json)
      .begin_object()
      .key("model_sha256").text(hex_encode(statement.model))
      .key("version").text(std::to_string(statement.version))
      .key("request_sha256").text(hex_encode(statement.request))
      .key("response_sha256").text(hex_encode(statement.response))
      .key("nonce").text(hex_encode(statement.nonce))
      .key("time").text(time_text(statement.time))
      .key("compute_us").unsigned_integer(statement.compute_us)
      .key("epoch").unsigned_integer(statement.epoch)
      .key("configuration").text(hex_encode(statement.configuration))
      .key("certificate_sha256").text(hex_encode(statement.certificate))
      .end_object();
  return json;
}

struct KeptReceipt {
  Receipt receipt;
  ByteVector certificate;
  Verdict verdict;
  std::optional<Verdict> newer;  ///< with collateral of today, where there is any
};

/// The same certificate's evidence with the collateral of `options.newer`.
Result<std::optional<Verdict>> judge_newer(const Options& options, Bytes certificate,
                                           UtcSeconds now) {
  if (options.newer.empty()) return std::optional<Verdict>();
  Options trusted = options;
  trusted.endorsements = options.newer;
  CLOISTER_ASSIGN(const TrustSettings trust, trust_settings(trusted));
  return std::optional(verify_certificate(certificate, trust.endorsements, trust.policy, now));
}

/// What the folder holds, judged at `at`, or else when the server says that it signed.
Result<KeptReceipt> read_kept(const Options& options, const std::optional<UtcSeconds>& at,
                              UtcSeconds now) {
  const std::filesystem::path folder(options.receipt);
  CLOISTER_ASSIGN(const ByteVector encoded,
                  read_local_file((folder / kReceiptFile).string(), kReceiptBytesMax));
  CLOISTER_ASSIGN(Receipt receipt, Receipt::read(encoded));
  CLOISTER_ASSIGN(KeptEvidence evidence,
                  read_kept_evidence(options, at.value_or(receipt.statement().time)));
  CLOISTER_ASSIGN(auto newer, judge_newer(options, evidence.certificate, now));
  return KeptReceipt{std::move(receipt), std::move(evidence.certificate),
                     std::move(evidence.verdict), std::move(newer)};
}

/// That newer collateral, where it was given, revokes nothing: what was revoked may have signed
/// later than it says.
Status check_news(const KeptReceipt& kept) {
  if (!kept.newer) return Done{};
  switch (news_of(*kept.newer)) {
    case LaterNews::none: return Done{};
    case LaterNews::revoked:
      return not_ours("is by a platform that is revoked by now, or vouched for by a key that is");
    case LaterNews::unknown: break;
  }
  return not_ours("cannot be judged by the newer collateral, which is missing or does not hold");
}

/// That the evidence vouches for the key and the configuration, that the key has signed, and that
/// the bodies are those that were signed for.
Status check_kept(const Options& options, const KeptReceipt& kept) {
  const auto& claims = kept.verdict.claims;
  if (!claims || !claims->receipt_key) {
    return not_ours("cannot be judged: the evidence names no receipt key");
  }
  if (!kept.receipt.verify(*claims->receipt_key).ok()) {
    return not_ours("does not hold: its signature is not by the key that the evidence names");
  }
  const ReceiptStatement& statement = kept.receipt.statement();
  if (claims->configuration != statement.configuration) {
    return not_ours("is by another configuration than the evidence's");
  }
  CLOISTER_TRY(check_news(kept));
  CLOISTER_TRY(check_body(options.request_file, statement.request, "is about another request"));
  return check_body(options.response_file, statement.response, "is about another response");
}

void print_kept(const KeptReceipt& kept) {
  const ReceiptStatement& statement = kept.receipt.statement();
  print_line("model sha256:" + hex_encode(statement.model) + " version " +
             std::to_string(statement.version));
  print_line("computed the response sha256:" + hex_encode(statement.response));
  print_line("from the request sha256:" + hex_encode(statement.request));
  print_line("in " + std::to_string(statement.compute_us) + " us, catalogue epoch " +
             std::to_string(statement.epoch) + ", at " + time_text(statement.time) +
             " by the server's own clock, which nobody else vouches for");
  print_line("signed by the key sha256:" + hex_encode(kept.receipt.key_digest()) +
             ", which this evidence vouches for:");
  print_text(printable(verdict_text(kept.verdict)));
  if (sha256(kept.certificate) != statement.certificate) {
    print_line("note: signed when the server showed another certificate with the same keys");
  }
  if (kept.verdict.expires) {
    print_line("certificate and collateral are good until " + time_text(*kept.verdict.expires));
  }
  if (kept.newer) print_line("newer collateral revokes neither the platform nor a key of it");
}

}  // namespace

Status keep_receipt(const Options& options, const ServerAccess& access, Bytes request,
                    const ClientResponse& response, const ByteVector& nonce, Entropy& entropy) {
  CLOISTER_ASSIGN(const Receipt receipt, receipt_in(response));
  const ReceiptStatement& statement = receipt.statement();
  const auto& claims = access.verdict.claims;
  if (!claims || !claims->receipt_key || !receipt.verify(*claims->receipt_key).ok()) {
    return not_ours("is not signed by the key that the server's evidence names");
  }
  const bool matches = statement.request == sha256(request) &&
                       statement.response == sha256(bytes_of(response.body)) &&
                       statement.nonce == nonce;
  if (!matches) return not_ours("is about another request or response");
  CLOISTER_ASSIGN(const ByteVector encoded,
                  base64url_decode(response.header("cloister-receipt").value_or("")));
  return keep_with_evidence(options, access, kReceiptFile, encoded, entropy);
}

Status keep_with_evidence(const Options& options, const ServerAccess& access, const char* file,
                          Bytes content, Entropy& entropy) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path folder(options.receipt);
  fs::create_directory(folder, error);
  if (error) {
    return Error{Code::io, "cli.receipt_folder", Detail(options.receipt + ": cannot be made")};
  }
  CLOISTER_TRY(write_local_file((folder / file).string(), content, entropy));
  CLOISTER_TRY(write_local_file((folder / kCertificateFile).string(),
                                access.session->peer_certificate(), entropy));
  if (options.endorsements.empty()) return Done{};
  fs::copy(options.endorsements, folder / kEndorsements,
           fs::copy_options::overwrite_existing, error);
  if (error) return Error{Code::io, "cli.receipt_endorsements"};
  return Done{};
}

Result<KeptEvidence> read_kept_evidence(const Options& options, UtcSeconds at) {
  const std::filesystem::path folder(options.receipt);
  KeptEvidence evidence;
  CLOISTER_ASSIGN(evidence.certificate, read_local_file((folder / kCertificateFile).string(),
                                                        kRecordedFileBytesMax));
  Options trusted = options;
  std::error_code error;
  const auto kept = folder / kEndorsements;
  if (trusted.endorsements.empty() && std::filesystem::exists(kept, error)) {
    trusted.endorsements = kept.string();
  }
  CLOISTER_ASSIGN(const TrustSettings trust, trust_settings(trusted));
  evidence.verdict =
      verify_certificate(evidence.certificate, trust.endorsements, trust.policy, at);
  return evidence;
}

Outcome verify_kept_receipt(const Options& options, UtcSeconds now) {
  std::optional<UtcSeconds> at;
  if (!options.at.empty()) {
    at = time_of(options.at);
    if (!at) return wrong_usage("--at: expected a time like 2026-01-31T12:00:00Z");
  }
  const auto kept = read_kept(options, at, now);
  if (!kept.ok()) return ConsoleReport::failed(kept.error());
  const Status holds = check_kept(options, kept.value());
  const bool accepted = holds.ok() && kept.value().verdict.accepted();
  if (options.json) {
    std::string json;
    JsonWriter(json)
        .begin_object()
        .key("accepted").boolean(accepted)
        .key("complaint").text(holds.ok() ? "" : ConsoleReport::text_of(holds.error()))
        .key("statement").raw(statement_json(kept.value().receipt.statement()))
        .key("newer").text(kept.value().newer ? name_of(news_of(*kept.value().newer)) : "")
        .key("evidence").raw(verdict_json(kept.value().verdict))
        .end_object();
    print_line(json);
  } else if (holds.ok()) {
    print_kept(kept.value());
  }
  if (!holds.ok() && !options.json) ConsoleReport::failed(holds.error());
  return accepted ? Outcome::done : Outcome::not_verified;
}

}  // namespace cloister
