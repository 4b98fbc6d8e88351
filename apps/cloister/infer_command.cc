#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "commands.h"
#include "encoding/base64.h"
#include "encoding/json.h"
#include "encoding/json_writer.h"
#include "local_files.h"
#include "receipt_folder.h"
#include "tensor/npz.h"

namespace cloister {
namespace {

constexpr std::uint64_t kInputBytesMax = 4ULL << 30;
constexpr JsonLimits kPrintedLimits{.bytes_max = 1U << 28, .values_max = 1U << 24};
constexpr std::size_t kPrintedCharacters = 400;
constexpr std::size_t kReceiptNonce = 16;
constexpr std::string_view kNpz = "application/x-npz";

std::optional<std::string_view> media_type_of(std::string_view path) {
  if (path.ends_with(".npy")) return "application/x-npy";
  if (path.ends_with(".npz")) return kNpz;
  if (path.ends_with(".json")) return "application/json";
  return std::nullopt;
}

struct InferBody {
  ByteVector content;
  std::string_view type;
};

/// NAME=FILE.npy for each input, as one archive.
Result<InferBody> archive_of(const std::vector<std::string>& inputs) {
  NpzWriter writer;
  std::vector<ByteVector> files;
  files.reserve(inputs.size());
  for (const std::string& input : inputs) {
    const std::size_t sign = input.find('=');
    if (sign == std::string::npos || !input.ends_with(".npy")) {
      return Error{Code::invalid, "cli.input",
                   Detail("--input " + input + ": several inputs are given as NAME=FILE.npy")};
    }
    CLOISTER_ASSIGN(ByteVector file, read_local_file(input.substr(sign + 1), kInputBytesMax));
    files.push_back(std::move(file));
    CLOISTER_TRY(writer.add(input.substr(0, sign), "", files.back()));
  }
  CLOISTER_ASSIGN(const std::vector<Bytes> pieces, writer.finish());
  InferBody body{{}, kNpz};
  for (const Bytes piece : pieces) {
    body.content.insert(body.content.end(), piece.begin(), piece.end());
  }
  return body;
}

Result<InferBody> read_inputs(const std::vector<std::string>& inputs) {
  if (inputs.size() > 1 || inputs.front().find('=') != std::string::npos) {
    return archive_of(inputs);
  }
  const auto type = media_type_of(inputs.front());
  if (!type) {
    return Error{Code::invalid, "cli.input",
                 Detail("--input " + inputs.front() + ": expected a .npy, .npz or .json file")};
  }
  CLOISTER_ASSIGN(ByteVector content, read_local_file(inputs.front(), kInputBytesMax));
  return InferBody{std::move(content), *type};
}

std::string model_target(const Options& options) {
  std::string target = "/v2/models/" + percent_encoded(options.model);
  if (!options.version.empty()) target += "/versions/" + percent_encoded(options.version);
  return target;
}

ClientRequest infer_request(const Options& options, std::string_view type) {
  const auto accepted = media_type_of(options.output).value_or("application/json");
  ClientRequest request{"POST", model_target(options) + "/infer", {}};
  char separator = '?';
  for (const std::string& each : options.selected) {
    request.target += separator + std::string("output=") + percent_encoded(each);
    separator = '&';
  }
  request.headers = {{"content-type", std::string(type)}, {"accept", std::string(accepted)}};
  return request;
}

/// The digest to pin in 64 lower-case digits; empty where none was asked for.
Result<std::string> pinned_digest(std::string digest) {
  if (digest.starts_with("sha256:")) digest.erase(0, 7);
  std::ranges::transform(digest, digest.begin(), [](char c) {
    return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
  });
  const bool is_digest = digest.size() == 64 &&
                         digest.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (digest.empty() || is_digest) return digest;
  return Error{Code::invalid, "cli.digest",
               Detail("--model-sha256: expected 64 hexadecimal digits")};
}

Error other_model(std::string_view found) {
  return Error{Code::unverified, "cli.model",
               Detail("the server has another model than the pinned one: sha256:" +
                      std::string(found))};
}

/// Asks which model would run, before any input is sent to it.
Outcome check_pin(const Options& options, ClientSession& session, const std::string& digest) {
  const auto described = session.send({"GET", model_target(options), {}});
  if (!described.ok()) return ConsoleReport::failed(described.error());
  if (described.value().status != 200) return refused_by_server(described.value(), options.json);
  const auto parsed = parse_json(described.value().body, kPrintedLimits);
  if (!parsed.ok()) return ConsoleReport::failed(parsed.error());
  const JsonValue* facts = parsed.value().find("parameters");
  const JsonValue* found = facts == nullptr ? nullptr : facts->find("sha256");
  const std::string_view text = found == nullptr ? "" : found->text().value_or("");
  return text == digest ? Outcome::done : ConsoleReport::failed(other_model(text));
}

void print_outputs(const std::string& body) {
  const auto parsed = parse_json(body, kPrintedLimits);
  const JsonValue* outputs = parsed.ok() ? parsed.value().find("outputs") : nullptr;
  if (outputs == nullptr) return print_line(printable(body));
  for (const JsonValue& each : outputs->items()) {
    const auto part = [&each](std::string_view name) {
      const JsonValue* member = each.find(name);
      return member == nullptr ? std::string_view() : member->text().value_or(member->raw());
    };
    const std::string_view data = part("data");
    std::string line = std::string(part("name")) + " " + std::string(part("datatype")) +
                       std::string(part("shape")) + " ";
    line += data.substr(0, kPrintedCharacters);
    if (data.size() > kPrintedCharacters) line += " ...";
    print_line(printable(line));
  }
}

Outcome write_result(const Options& options, const ClientResponse& response, Tools& tools,
                     std::string_view digest) {
  const std::string_view type = response.header("content-type").value_or("");
  if (type != media_type_of(options.output)) {
    return wrong_usage(type == kNpz ? "the model has several outputs: write them to a .npz file, "
                                      "or choose one with --select NAME"
                                    : "the server answered in another format than was asked for");
  }
  const Status written = write_local_file(options.output, bytes_of(response.body), tools.entropy);
  if (!written.ok()) return ConsoleReport::failed(written.error());
  if (options.json) {
    std::string json;
    JsonWriter(json).begin_object().key("output").text(options.output)
        .key("bytes").unsigned_integer(response.body.size())
        .key("model_sha256").text(digest).end_object();
    print_line(json);
    return Outcome::done;
  }
  print_line("wrote " + printable(options.output) + " (" + size_text(response.body.size()) +
             "), computed by the model sha256:" + printable(digest));
  return Outcome::done;
}

}  // namespace

Outcome run_infer(const Options& options, Tools& tools) {
  if (!options.output.empty() && !media_type_of(options.output)) {
    return wrong_usage("--output: name a .npy, .npz or .json file");
  }
  const auto pinned = pinned_digest(options.model_sha256);
  if (!pinned.ok()) return ConsoleReport::failed(pinned.error());
  const auto body = read_inputs(options.inputs);
  if (!body.ok()) return ConsoleReport::failed(body.error());
  if (body.value().type == "application/json" && !options.selected.empty()) {
    return wrong_usage("--select: a .json input names its outputs itself");
  }
  ServerAccess access = open_server(options, tools, TokenUse::required);
  if (!access.session) return access.outcome;
  if (!pinned.value().empty()) {
    const Outcome checked = check_pin(options, *access.session, pinned.value());
    if (checked != Outcome::done) return checked;
  }
  ClientRequest request = infer_request(options, body.value().type);
  ByteVector nonce(options.receipt.empty() ? 0 : kReceiptNonce);
  if (!nonce.empty()) {
    const Status filled = tools.entropy.fill(nonce);
    if (!filled.ok()) return ConsoleReport::failed(filled.error());
    request.headers.push_back({"cloister-receipt", "want"});
    request.headers.push_back({"cloister-receipt-nonce", base64url_encode(nonce)});
  }
  const auto response =
      access.session->send(std::move(request), {body.value().content, nullptr, {}});
  if (!response.ok()) return ConsoleReport::failed(response.error());
  if (response.value().status != 200) return refused_by_server(response.value(), options.json);
  // The newest version may have changed in between: what ran is what counts.
  std::string_view digest = response.value().header("cloister-model").value_or("");
  if (digest.starts_with("sha256:")) digest.remove_prefix(7);
  if (!pinned.value().empty() && digest != pinned.value()) {
    return ConsoleReport::failed(other_model(digest));
  }
  if (!options.receipt.empty()) {
    const Status kept = keep_receipt(options, access, body.value().content, response.value(), nonce,
                                     tools.entropy);
    if (!kept.ok()) return ConsoleReport::failed(kept.error());
  }
  if (!options.output.empty()) return write_result(options, response.value(), tools, digest);
  if (options.json) {
    print_line(response.value().body);
  } else {
    print_outputs(response.value().body);
  }
  return Outcome::done;
}

}  // namespace cloister
