// Usage and the audit trail: signed by the server, shown as tables, kept, and judged years later.
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

#include "commands.h"
#include "encoding/hex.h"
#include "encoding/json_writer.h"
#include "evidence/signed_payload.h"
#include "local_files.h"
#include "receipt_folder.h"
#include "server_access.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

constexpr std::size_t kExportBytesMax = 64U << 20;
// An owner who uses his models himself meets each of 100,000 rows twice, of nine values each.
constexpr JsonLimits kExportLimits{.bytes_max = kExportBytesMax, .values_max = 1U << 21};
constexpr const char* kExportFile = "export.cose";

Error not_ours(const std::string& what) {
  return Error{Code::unverified, "cli.export", Detail("the export " + what)};
}

/// An export whose signature may not have been checked yet.
struct Export {
  SignedPayload envelope;
  JsonValue body;  ///< of the envelope's payload, which it views
};

Result<Export> read_export(Bytes encoded) {
  CLOISTER_ASSIGN(SignedPayload envelope, SignedPayload::read(encoded, kExportBytesMax));
  CLOISTER_ASSIGN(JsonValue body, parse_json(text_of(envelope.payload()), kExportLimits));
  const JsonValue* kind = body.find("kind");
  const std::string_view named = kind == nullptr ? "" : kind->text().value_or("");
  const bool known = named == "usage" || named == "audit";
  if (!known || envelope.content_type() != "application/vnd.cloister." + std::string(named) +
                                               "+json") {
    return not_ours("is of no kind that this program knows");
  }
  return Export{std::move(envelope), std::move(body)};
}

Result<Sha256Digest> digest_member(const JsonValue& object, std::string_view name) {
  const JsonValue* member = object.find(name);
  const auto bytes = hex_decode(member == nullptr ? "" : member->text().value_or(""));
  Sha256Digest digest;
  if (!bytes.ok() || bytes.value().size() != digest.size()) return not_ours("is malformed");
  std::copy(bytes.value().begin(), bytes.value().end(), digest.begin());
  return digest;
}

Result<std::uint64_t> count_member(const JsonValue& object, std::string_view name) {
  const JsonValue* member = object.find(name);
  const auto number = member == nullptr ? std::nullopt : member->unsigned_integer();
  if (!number) return not_ours("is malformed");
  return *number;
}

/// The links of an audit export, recomputed: of event `first - 1`, then of each event.
Result<std::vector<Sha256Digest>> links_of(const JsonValue& audit) {
  CLOISTER_ASSIGN(const Sha256Digest before, digest_member(audit, "before"));
  CLOISTER_ASSIGN(const Sha256Digest head, digest_member(audit, "head"));
  CLOISTER_ASSIGN(const std::uint64_t first, count_member(audit, "first"));
  CLOISTER_ASSIGN(const std::uint64_t count, count_member(audit, "count"));
  const JsonValue* events = audit.find("events");
  if (events == nullptr || first < 1 || first - 1 + events->items().size() != count) {
    return not_ours("does not hold as many events as it says");
  }
  std::vector<Sha256Digest> links{before};
  for (const JsonValue& event : events->items()) {
    CLOISTER_ASSIGN(const std::uint64_t number, count_member(event, "number"));
    if (number != first + links.size() - 1) return not_ours("misses an event");
    Sha256Stream stream;
    stream.update(links.back());
    stream.update(bytes_of(event.raw()));
    links.push_back(stream.finish());
  }
  if (links.back() != head) return not_ours("has an event that does not belong into its chain");
  return links;
}

/// That the later export goes on where the earlier one ended, with nothing between them gone.
Status check_continues(const JsonValue& later, const JsonValue& earlier) {
  CLOISTER_ASSIGN(const auto links, links_of(later));
  CLOISTER_TRY(links_of(earlier));
  CLOISTER_ASSIGN(const std::uint64_t first, count_member(later, "first"));
  CLOISTER_ASSIGN(const std::uint64_t count, count_member(later, "count"));
  CLOISTER_ASSIGN(const std::uint64_t seen, count_member(earlier, "count"));
  CLOISTER_ASSIGN(const Sha256Digest head, digest_member(earlier, "head"));
  if (text_member(later, "of") != text_member(earlier, "of")) {
    return not_ours("is of another chain than the earlier one");
  }
  if (seen > count) return not_ours("ends before the earlier one: events were taken back");
  if (seen + 1 < first) {
    return not_ours("begins after the earlier one's end: events between them are not here");
  }
  if (links[seen + 1 - first] == head) return Done{};
  return not_ours("tells another story than the earlier one");
}

constexpr const char* kUsageColumns[] = {"model",      "version",  "principal", "day", "requests",
                                         "compute_ms", "bytes_in", "bytes_out"};

void print_usage_rows(const JsonValue& usage, const char* whose, bool csv) {
  const JsonValue* rows = usage.find(whose);
  if (rows == nullptr) return;
  for (const JsonValue& row : rows->items()) {
    std::string line = csv ? std::string(whose) : "";
    for (const char* column : kUsageColumns) {
      const std::string cell = number_member(row, column);
      line += csv ? "," + cell : cell + std::string(cell.size() < 20 ? 20 - cell.size() : 1, ' ');
    }
    print_line(line);
  }
}

void print_usage(const JsonValue& usage, bool csv) {
  std::string head = csv ? "whose" : "";
  for (const std::string column : kUsageColumns) {
    head += csv ? "," + column : column + std::string(20 - column.size(), ' ');
  }
  print_line(head);
  for (const char* whose : {"of_my_models", "by_me"}) {
    if (!csv) print_line(std::string("-- ") + whose);
    print_usage_rows(usage, whose, csv);
  }
  const JsonValue* complete = usage.find("complete");
  if (complete == nullptr || !complete->boolean().value_or(false)) {
    std::fputs("cloister: not everything was counted: too many rows\n", stderr);
  }
}

void print_events(const JsonValue& audit, bool csv) {
  constexpr const char* kColumns[] = {"number", "time",    "action",    "outcome", "actor",
                                      "model",  "version", "principal", "count",   "sha256"};
  constexpr int kWidths[] = {7, 21, 24, 8, 24, 20, 8, 24, 7, 0};
  std::string head;
  for (std::size_t i = 0; i < std::size(kColumns); ++i) {
    std::string cell(kColumns[i]);
    if (!csv) cell.resize(std::max<std::size_t>(cell.size() + 1, kWidths[i]), ' ');
    head += (csv && i > 0 ? "," : "") + cell;
  }
  print_line(head);
  const JsonValue* events = audit.find("events");
  for (const JsonValue& event : events->items()) {
    std::string line;
    for (std::size_t i = 0; i < std::size(kColumns); ++i) {
      std::string cell = number_member(event, kColumns[i]);
      const JsonValue* time = event.find("time");
      if (i == 1 && time != nullptr && time->integer()) {
        cell = time_text(UtcSeconds(std::chrono::seconds(*time->integer())));
      }
      if (!csv) cell.resize(std::max<std::size_t>(cell.size() + 1, kWidths[i]), ' ');
      line += (csv && i > 0 ? "," : "") + cell;
    }
    print_line(line);
  }
}

void print_export(const Export& shown, const Options& options) {
  if (options.json) return print_line(text_of(shown.envelope.payload()));
  if (text_member(shown.body, "kind") == "usage") return print_usage(shown.body, options.csv);
  print_events(shown.body, options.csv);
}

/// That the key which the evidence vouches for has signed, and that a chain is whole.
Status check_export(const Export& checked, const Verdict& verdict) {
  if (!verdict.claims || !verdict.claims->receipt_key ||
      !checked.envelope.verify(*verdict.claims->receipt_key).ok()) {
    return not_ours("is not signed by the key that the server's evidence names");
  }
  const auto configuration = digest_member(checked.body, "configuration");
  if (!configuration.ok() || verdict.claims->configuration != configuration.value()) {
    return not_ours("is by another configuration than the evidence's");
  }
  if (text_member(checked.body, "kind") != "audit") return Done{};
  const auto links = links_of(checked.body);
  return links.ok() ? Status(Done{}) : Status(links.error());
}

Result<Export> read_kept_export(const std::string& folder) {
  CLOISTER_ASSIGN(const ByteVector encoded,
                  read_local_file((std::filesystem::path(folder) / kExportFile).string(),
                                  kExportBytesMax));
  return read_export(encoded);
}

struct JudgedExport {
  Export content;
  Verdict verdict;
};

/// What the folder of `options.receipt` holds, judged when it was made, unless `--at` says else.
Result<JudgedExport> judge_kept(const Options& options) {
  CLOISTER_ASSIGN(Export kept, read_kept_export(options.receipt));
  const JsonValue* time = kept.body.find("time");
  if (time == nullptr || !time->integer()) return not_ours("is malformed");
  UtcSeconds at{std::chrono::seconds(*time->integer())};
  if (!options.at.empty()) {
    const auto asked = time_of(options.at);
    if (!asked) {
      return Error{Code::invalid, "cli.at",
                   Detail("--at: expected a time like 2026-01-31T12:00:00Z")};
    }
    at = *asked;
  }
  CLOISTER_ASSIGN(KeptEvidence evidence, read_kept_evidence(options, at));
  CLOISTER_TRY(check_export(kept, evidence.verdict));
  return JudgedExport{std::move(kept), std::move(evidence.verdict)};
}

/// With `--earlier`: what that folder holds, judged alike, must be what this one goes on from.
Status check_earlier(const Options& options, const Export& later) {
  if (options.earlier.empty()) return Done{};
  Options older = options;
  older.receipt = options.earlier;
  CLOISTER_ASSIGN(const JudgedExport earlier, judge_kept(older));
  if (!earlier.verdict.accepted()) return not_ours("cannot be compared: the earlier is refused");
  return check_continues(later.body, earlier.content.body);
}

}  // namespace

Outcome run_export(const Options& options, Tools& tools) {
  const bool of_usage = options.command == Command::usage;
  std::string target = of_usage ? "/v2/usage" : "/v2/audit";
  if (!of_usage && options.of_server) target += "/server";
  if (!of_usage && options.after != 0) target += "?after=" + std::to_string(options.after);
  ServerAccess access = open_server(options, tools, TokenUse::required);
  if (!access.session) return access.outcome;
  const auto response =
      access.session->send({"GET", target, {{"accept", "application/cose"}}}, {});
  if (!response.ok()) return ConsoleReport::failed(response.error());
  if (response.value().status >= 300) return refused_by_server(response.value(), options.json);
  const Bytes encoded = bytes_of(response.value().body);
  const auto received = read_export(encoded);
  if (!received.ok()) return ConsoleReport::failed(not_ours("is malformed"));
  const Status holds = check_export(received.value(), access.verdict);
  if (!holds.ok()) return ConsoleReport::failed(holds.error());
  if (!options.receipt.empty()) {
    const Status kept = keep_with_evidence(options, access, kExportFile, encoded, tools.entropy);
    if (!kept.ok()) return ConsoleReport::failed(kept.error());
  }
  print_export(received.value(), options);
  return Outcome::done;
}

Outcome verify_kept_export(const Options& options) {
  const auto judged = judge_kept(options);
  if (!judged.ok()) return ConsoleReport::failed(judged.error());
  const Status continues = check_earlier(options, judged.value().content);
  if (!continues.ok()) return ConsoleReport::failed(continues.error());
  std::fputs(printable(verdict_text(judged.value().verdict)).c_str(), stderr);
  if (!judged.value().verdict.accepted()) return Outcome::not_verified;
  print_export(judged.value().content, options);
  return Outcome::done;
}

}  // namespace cloister
