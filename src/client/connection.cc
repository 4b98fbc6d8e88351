#include "client/connection.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace cloister {
namespace {

constexpr std::size_t kPieceBytes = 1U << 20;

/// A ClientBody in pieces, which tells its progress.
class GivenBody final : public BodySource {
 public:
  GivenBody(const ClientBody& body, std::uint64_t size) : body_(body), size_(size) {}

  std::optional<std::uint64_t> size() const noexcept override { return size_; }
  Result<Bytes> next() override {
    if (at_ > 0 && body_.progress) body_.progress(at_, size_);
    const std::size_t count = std::min<std::uint64_t>(size_ - at_, kPieceBytes);
    const std::uint64_t from = std::exchange(at_, at_ + count);
    if (count == 0 || body_.file == nullptr) return body_.memory.subspan(from, count);
    piece_.resize(count);
    CLOISTER_TRY(body_.file->read_at(from, piece_));
    return Bytes(piece_);
  }

 private:
  const ClientBody& body_;
  const std::uint64_t size_;
  std::uint64_t at_ = 0;
  ByteVector piece_;
};

class AnswerInMemory final : public AnswerSink {
 public:
  explicit AnswerInMemory(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  Status begin(ClientResponse head, std::optional<std::uint64_t> body_bytes) override {
    if (body_bytes.value_or(0) > bytes_max_) return too_large();
    response = std::move(head);
    return Done{};
  }
  Status take(Bytes piece) override {
    if (piece.size() > bytes_max_ - response.body.size()) return too_large();
    response.body += text_of(piece);
    return Done{};
  }

  ClientResponse response;

 private:
  static Error too_large() { return {Code::too_large, "client.answer"}; }

  const std::uint64_t bytes_max_;
};

}  // namespace

Result<ClientResponse> answer_in_memory(
    const ClientBody& body, std::uint64_t answer_bytes_max,
    const std::function<Status(BodySource&, AnswerSink&)>& exchange) {
  std::uint64_t size = body.memory.size();
  if (body.file != nullptr) {
    CLOISTER_ASSIGN(size, body.file->size());
  }
  GivenBody source(body, size);
  AnswerInMemory sink(answer_bytes_max);
  CLOISTER_TRY(exchange(source, sink));
  return std::move(sink.response);
}

std::optional<std::string_view> ClientResponse::header(std::string_view name) const noexcept {
  for (const ClientHeader& each : headers) {
    if (each.name == name) return each.value;
  }
  return std::nullopt;
}

Result<ServerUrl> parse_server_url(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  constexpr std::size_t kHostMax = 255;
  const Error invalid{Code::invalid, "client.url",
                      Detail("expected https://HOST or https://HOST:PORT")};
  if (url.starts_with("http://")) {
    return Error{Code::unverified, "client.url",
                 Detail("http:// refused: nothing is sent in plain text; servers are https://")};
  }
  if (!url.starts_with(kScheme)) return invalid;
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  ServerUrl parsed;
  if (url.starts_with('[')) {
    const std::size_t end = url.find(']');
    if (end == std::string_view::npos) return invalid;
    parsed.host = url.substr(1, end - 1);
    url.remove_prefix(end + 1);
  } else {
    const std::size_t end = std::min(url.find(':'), url.size());
    parsed.host = url.substr(0, end);
    url.remove_prefix(end);
  }
  constexpr std::string_view kHostCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:";
  const bool is_host = !parsed.host.empty() && parsed.host.size() <= kHostMax &&
                       parsed.host.find_first_not_of(kHostCharacters) == std::string::npos;
  if (!is_host) return invalid;
  if (url.empty()) return parsed;
  if (url.front() != ':') return invalid;
  url.remove_prefix(1);
  const auto port = std::from_chars(url.data(), url.data() + url.size(), parsed.port);
  const bool is_whole = port.ec == std::errc{} && port.ptr == url.data() + url.size();
  if (!is_whole || parsed.port == 0) return invalid;
  return parsed;
}

}  // namespace cloister
