#include "api/content_coding.h"

#include <algorithm>
#include <memory>
#include <string_view>

namespace cloister {
namespace {

constexpr std::uint64_t kRatioMax = 1032;  // what deflate can shrink at most
constexpr std::uint64_t kCodedMin = 256;   // shorter answers gain nothing
constexpr std::uint64_t kCodedMax = 1ULL << 30;
constexpr std::uint64_t kGatheredMax = 64ULL << 20;  // a copy that nobody is charged for

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<DeflateForm> form_of(std::string_view coding) {
  if (coding == "gzip" || coding == "x-gzip") return DeflateForm::gzip;
  if (coding == "deflate") return DeflateForm::zlib;
  return std::nullopt;
}

/// What a coded response keeps alive.
struct Coded {
  PrivateMemory memory;
};

/// All `size` bytes of `pieces` as one: the piece itself where there is one, else in `gathered`.
Result<Bytes> in_one_piece(const std::vector<Bytes>& pieces, std::uint64_t size,
                           PrivateMemory& gathered) {
  if (pieces.size() == 1) return pieces.front();
  CLOISTER_ASSIGN(gathered, PrivateMemory::reserve(size));
  MutableBytes rest = gathered.bytes();
  for (const Bytes piece : pieces) {
    std::ranges::copy(piece, rest.begin());
    rest = rest.subspan(piece.size());
  }
  return Bytes(gathered.bytes());
}

}  // namespace

Result<std::optional<DeflateForm>> request_coding(const HttpRequestHead& head) {
  const auto coding = head.header("content-encoding");
  if (!coding || trimmed(*coding) == "identity") return std::optional<DeflateForm>();
  const auto form = form_of(trimmed(*coding));
  if (form) return form;
  return Error{Code::unsupported, "api.content_encoding",
               Detail("Content-Encoding: expected gzip or deflate, one of them")};
}

std::optional<DeflateForm> wanted_coding(const HttpRequestHead& head) {
  const auto accepted = head.header("accept-encoding");
  return accepted ? form_of(trimmed(*accepted)) : std::nullopt;
}

std::uint64_t decoded_bound(std::uint64_t coded, std::uint64_t most) {
  return coded > most / kRatioMax ? most : std::min(most, coded * kRatioMax + kRatioMax);
}

Result<DecodedBody> decode_content(Bytes coded, DeflateForm form, std::uint64_t bytes_max) {
  DecodedBody body;
  const std::uint64_t room = std::max<std::uint64_t>(decoded_bound(coded.size(), bytes_max), 1);
  CLOISTER_ASSIGN(body.memory, PrivateMemory::reserve(room));
  auto size = inflate_up_to(coded, form, body.memory.bytes());
  if (size.ok()) {
    body.size = size.value();
    return body;
  }
  if (size.error().code == Code::invalid) {
    return Error{Code::invalid, "api.content_encoding",
                 Detail("the body is not what Content-Encoding says")};
  }
  if (size.error().code == Code::too_large) {
    return Error{Code::too_large, "api.content_encoding",
                 Detail("the body has more than " + std::to_string(room) +
                        " bytes once its Content-Encoding is undone")};
  }
  return size.error();
}

Status encode_content(HttpResponse& response, DeflateForm form) {
  std::uint64_t size = 0;
  for (const Bytes piece : response.body.pieces) size += piece.size();
  const bool one = response.body.pieces.size() == 1;
  if (size < kCodedMin || size > (one ? kCodedMax : kGatheredMax)) return Done{};
  auto coded = std::make_shared<Coded>();
  PrivateMemory gathered;
  CLOISTER_ASSIGN(const Bytes body, in_one_piece(response.body.pieces, size, gathered));
  CLOISTER_ASSIGN(coded->memory, PrivateMemory::reserve(deflate_bound(size)));
  CLOISTER_ASSIGN(const std::size_t written, deflate_into(body, form, coded->memory.bytes()));
  if (written >= size) return Done{};
  response.headers.push_back({"content-encoding", form == DeflateForm::gzip ? "gzip" : "deflate"});
  response.body.pieces = {coded->memory.bytes().first(written)};
  response.body.owner = std::move(coded);
  return Done{};
}

}  // namespace cloister
