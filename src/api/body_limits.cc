#include "api/body_limits.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "encoding/base64.h"

namespace cloister {
namespace {

constexpr std::uint64_t kFramingBytes = 64 * 1024;  ///< headers of npy, zip and JSON members
constexpr std::uint64_t kJsonBytesPerByte = 8;  ///< "-1.17549435e-38, " for four bytes, indented

struct MediaType {
  std::string_view name;
  BodyFormat format;
};
constexpr std::array kMediaTypes{
    MediaType{"application/json", BodyFormat::json},
    MediaType{"application/octet-stream", BodyFormat::json},  // JSON and binary tensors, or raw
    MediaType{"application/x-npy", BodyFormat::npy},
    MediaType{"application/x-npz", BodyFormat::npz},
    MediaType{"application/zip", BodyFormat::npz},
    // What curl says of `--data-binary` when nobody says otherwise.
    MediaType{"application/x-www-form-urlencoded", BodyFormat::json},
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// Without parameters and blanks, in lower case.
std::string essence_of(std::string_view media_type) {
  std::string lower(trimmed(media_type.substr(0, media_type.find(';'))));
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::optional<BodyFormat> format_of(std::string_view media_type) {
  const std::string essence = essence_of(media_type);
  for (const MediaType& each : kMediaTypes) {
    if (each.name == essence) return each.format;
  }
  return std::nullopt;
}

Status refuse_content_encoding(const HttpRequestHead& head) {
  const auto coding = head.header("content-encoding");
  if (!coding || *coding == "identity") return Done{};
  return Error{Code::unsupported, "api.content_encoding",
               Detail("Content-Encoding is not served; send the body as it is")};
}

}  // namespace

Result<BodyFormat> infer_format(const HttpRequestHead& head) {
  const auto type = head.header("content-type");
  if (!type) return BodyFormat::json;
  const auto format = format_of(*type);
  if (!format) {
    return Error{Code::unsupported, "api.content_type",
                 Detail("Content-Type: expected application/json, application/octet-stream, "
                        "application/x-npy or application/x-npz")};
  }
  return *format;
}

Result<BodyFormat> answer_format(const HttpRequestHead& head, BodyFormat request) {
  const auto accept = head.header("accept");
  if (!accept) return request;
  std::string_view rest = *accept;
  while (!rest.empty()) {
    const std::size_t end = rest.find(',');
    const std::string_view each = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    const std::string essence = essence_of(each);
    if (essence == "*/*" || essence == "application/*" || essence.empty()) return request;
    if (essence == "application/octet-stream") return BodyFormat::json;
    if (const auto format = format_of(each)) return *format;
  }
  return Error{Code::unsupported, "api.accept",
               Detail("Accept: answers are application/json, application/x-npy or "
                      "application/x-npz")};
}

std::uint64_t infer_body_bound(const Signature& signature, BodyFormat format, std::uint64_t most) {
  const auto tensors =
      signature.optional_inputs.empty() ? input_bytes_bound(signature) : std::nullopt;
  if (!tensors || *tensors > most) return most;
  const std::uint64_t factor = format == BodyFormat::json ? kJsonBytesPerByte : 1;
  if (*tensors > (most - std::min(most, kFramingBytes)) / factor) return most;
  return *tensors * factor + kFramingBytes;
}

Status check_upload_headers(const HttpRequestHead& head) {
  CLOISTER_TRY(refuse_content_encoding(head));
  const auto type = head.header("content-type");
  const std::string essence = type ? essence_of(*type) : "application/octet-stream";
  if (essence != "application/octet-stream" && essence != "application/onnx" &&
      essence != "application/x-www-form-urlencoded") {
    return Error{Code::unsupported, "api.upload_type",
                 Detail("Content-Type: expected application/octet-stream, the ONNX file itself")};
  }
  const auto digest = claimed_digest(head);
  if (!digest.ok()) return digest.error();
  return Done{};
}

Result<std::optional<ModelDigest>> claimed_digest(const HttpRequestHead& head) {
  const auto header = head.header("content-digest");
  std::optional<ModelDigest> claimed;
  if (!header) return claimed;
  const Error malformed{Code::invalid, "api.content_digest",
                        Detail("Content-Digest: expected sha-256=:<base64 of 32 bytes>:")};
  std::string_view rest = *header;
  while (!rest.empty()) {
    const std::size_t end = rest.find(',');
    const std::string_view member = trimmed(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    // A member that cannot be read may be one that the sender relies on.
    const std::size_t equals = member.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? "" : member.substr(equals + 1);
    if (value.size() < 2 || value.front() != ':' || value.back() != ':') return malformed;
    const auto decoded = base64_decode(value.substr(1, value.size() - 2));
    if (!decoded.ok()) return malformed;
    if (essence_of(member.substr(0, equals)) != "sha-256") continue;
    if (claimed || decoded.value().size() != ModelDigest().size()) return malformed;
    claimed.emplace();
    std::copy(decoded.value().begin(), decoded.value().end(), claimed->begin());
  }
  return claimed;
}

Result<std::optional<std::uint64_t>> inference_header_length(const HttpRequestHead& head) {
  const auto header = head.header("inference-header-content-length");
  if (!header) return std::optional<std::uint64_t>();
  std::uint64_t length = 0;
  const auto [end, error] =
      std::from_chars(header->data(), header->data() + header->size(), length);
  if (error != std::errc() || end != header->data() + header->size()) {
    return Error{Code::invalid, "api.inference_header",
                 Detail("Inference-Header-Content-Length: expected a number of bytes")};
  }
  return std::optional<std::uint64_t>(length);
}

}  // namespace cloister
