#include "proxy/relay.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "encoding/json_writer.h"
#include "net/chunked_body.h"
#include "net/reason_phrase.h"
#include "secret/secret_bytes.h"

namespace cloister {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::uint64_t kChunkedBytesMax = 1ULL << 40;  // the server knows its own limit
constexpr std::size_t kLingerReadsMax = 256;
constexpr std::chrono::milliseconds kLingerWaitMax{200};

constexpr std::array<std::string_view, 7> kNotHandedOn = {
    "connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"};

std::string head_text(int status, std::uint64_t body_bytes, bool close) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + ' ';
  text += reason_phrase(status);
  text += "\r\n";
  if (status != 204 && status != 304) {
    text += "content-length: " + std::to_string(body_bytes) + "\r\n";
  }
  if (close) text += "connection: close\r\n";
  return text;
}

bool fits_one_line(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f'; });
}

}  // namespace

/// The rest of a request, as the server wants it.
class Relay::Body final : public BodySource {
 public:
  Body(Relay& relay, const LocalRequest& request)
      : relay_(relay), size_(request.body_bytes), left_(size_.value_or(0)),
        owes_continue_(request.expects_continue) {}

  std::optional<std::uint64_t> size() const noexcept override { return size_; }

  Result<Bytes> next() override {
    asked_ = true;
    if (std::exchange(owes_continue_, false)) {
      const Status told = relay_.stream_.write(bytes_of("HTTP/1.1 100 Continue\r\n\r\n"));
      if (!told.ok()) return fail(told.error());
    }
    relay_.consume(std::exchange(given_, 0));
    return size_ ? next_sized() : next_chunk();
  }

  bool asked() const noexcept { return asked_; }      ///< some of it may be with the server
  bool finished() const noexcept { return size_ ? left_ == 0 : chunks_.finished(); }
  /// Why the local client's part failed, if it did.
  const std::optional<Error>& failure() const noexcept { return failure_; }
  /// Gives back what the last piece used of the buffer.
  void close() { relay_.consume(std::exchange(given_, 0)); }

 private:
  Result<Bytes> next_sized() {
    if (left_ == 0) return Bytes();
    if (relay_.buffered().empty()) CLOISTER_TRY(receive());
    given_ = std::min<std::uint64_t>(left_, relay_.buffered().size());
    left_ -= given_;
    return relay_.buffered().first(given_);
  }

  Result<Bytes> next_chunk() {
    decoded_.resize(kBufferBytes);
    while (!chunks_.finished()) {
      if (relay_.buffered().empty()) CLOISTER_TRY(receive());
      const auto step = chunks_.decode(relay_.buffered(), decoded_);
      if (!step.ok()) return fail(step.error());
      relay_.consume(step.value().consumed);
      if (step.value().produced > 0) return Bytes(decoded_).first(step.value().produced);
    }
    return Bytes();
  }

  Status receive() {
    const auto more = relay_.read_more(relay_.service_.stall_time_max);
    if (!more.ok()) return fail(more.error());
    if (!more.value()) return fail(Error{Code::unavailable, "proxy.client_gone"});
    return Done{};
  }

  Error fail(const Error& error) {
    failure_ = error;
    return error;
  }

  Relay& relay_;
  const std::optional<std::uint64_t> size_;
  std::uint64_t left_;
  bool owes_continue_;
  bool asked_ = false;
  std::size_t given_ = 0;
  ChunkedBody chunks_{kChunkedBytesMax};
  ByteVector decoded_;
  std::optional<Error> failure_;
};

class Relay::Answer final : public AnswerSink {
 public:
  Answer(LocalStream& stream, bool to_head, bool close)
      : stream_(stream), to_head_(to_head), close_(close) {}

  Status begin(ClientResponse head, std::optional<std::uint64_t> body_bytes) override {
    // Ours always says how long its answer is; without that an end could not be told from a cut.
    if (!body_bytes && !to_head_) return Error{Code::corrupt, "proxy.answer.length"};
    std::string text = head_text(head.status, body_bytes.value_or(0), close_);
    for (const ClientHeader& each : head.headers) {
      const bool stays = std::ranges::find(kNotHandedOn, each.name) != kNotHandedOn.end() ||
                         each.name.starts_with("access-control-");
      if (stays) continue;
      if (!fits_one_line(each.value)) return Error{Code::corrupt, "proxy.answer.header"};
      text += each.name + ": " + each.value + "\r\n";
    }
    text += "\r\n";
    began_ = true;
    return stream_.write(bytes_of(text));
  }

  Status take(Bytes piece) override { return stream_.write(piece); }

  bool began() const noexcept { return began_; }

 private:
  LocalStream& stream_;
  const bool to_head_;
  const bool close_;
  bool began_ = false;
};

Relay::Relay(const RelayService& service, LocalStream& stream, std::atomic<bool>& is_idle)
    : service_(service), stream_(stream), is_idle_(is_idle), input_(kBufferBytes) {}

Relay::~Relay() { wipe(input_); }

void Relay::serve() {
  while (const auto head = next_head()) {
    if (!serve_request(*head)) return;
  }
}

void Relay::consume(std::size_t count) noexcept {
  begin_ += count;
  if (begin_ == end_) begin_ = end_ = 0;
}

Result<bool> Relay::read_more(std::chrono::milliseconds wait_max) {
  if (begin_ > 0) {
    std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  CLOISTER_ASSIGN(const std::size_t count,
                  stream_.read(MutableBytes(input_).subspan(end_), wait_max));
  end_ += count;
  return count > 0;
}

std::optional<Bytes> Relay::next_head() {
  std::optional<SteadyTime> began;
  while (true) {
    while (text_of(buffered()).starts_with("\r\n")) consume(2);  // RFC 9112, 2.2
    const std::string_view text = text_of(buffered());
    const std::size_t end = text.substr(0, kLocalHeadBytesMax).find("\r\n\r\n");
    if (end != text.npos) return buffered().first(end + 4);
    if (text.size() >= kLocalHeadBytesMax) {
      refuse({431, Code::too_large, "request head too large"});
      return std::nullopt;
    }
    if (!began && !text.empty()) began = service_.clock.steady();
    auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(service_.idle_time_max);
    if (began) {
      wait = std::chrono::ceil<std::chrono::milliseconds>(*began + service_.head_time_max -
                                                          service_.clock.steady());
    }
    is_idle_ = text.empty();
    const auto more = read_more(wait);
    is_idle_ = false;
    if (more.ok() && more.value()) continue;
    if (began && !more.ok() && more.error().code == Code::deadline) {
      refuse({408, Code::deadline, "the request came too slowly"});
    }
    return std::nullopt;
  }
}

bool Relay::serve_request(Bytes head) {
  auto read = read_local_request(head, service_.own_names);
  consume(head.size());
  if (const LocalRefusal* refusal = std::get_if<LocalRefusal>(&read)) {
    refuse(*refusal);
    return false;
  }
  return forward(std::get<LocalRequest>(read));
}

bool Relay::forward(const LocalRequest& request) {
  const bool to_head = request.request.method == "HEAD";
  const bool may_repeat = request.body_bytes == std::uint64_t{0} &&
                          (to_head || request.request.method == "GET");
  for (int attempts = may_repeat ? 2 : 1;; --attempts) {
    Body body(*this, request);
    Answer answer(stream_, to_head, request.close);
    auto session = service_.sessions.take();
    if (!session.ok()) return answer_failure(session.error(), body);
    const Status sent = session.value()->stream(request.request, &body, answer);
    body.close();
    service_.sessions.give_back(std::move(session).value(), sent.ok());
    if (sent.ok()) {
      if (body.finished() && !request.close) return true;
      close_gently();
      return false;
    }
    if (answer.began()) return false;  // cut short, and the client sees that it is
    // A kept connection may end just as it is used: what changes nothing may be asked again.
    if (sent.error().code == Code::unavailable && attempts > 1) continue;
    return answer_failure(sent.error(), body);
  }
}

bool Relay::answer_failure(const Error& error, const Body& body) {
  if (body.failure()) {
    switch (body.failure()->code) {
      case Code::invalid: refuse({400, Code::invalid, "malformed chunked body"}); break;
      case Code::too_large: refuse({413, Code::too_large, "too many small chunks"}); break;
      case Code::deadline: refuse({408, Code::deadline, "the request came too slowly"}); break;
      default: break;  // nobody is there to be told
    }
    return false;
  }
  LocalRefusal refusal{502, error.code, service_.describe(error)};
  if (!body.asked() && (error.code == Code::unavailable || error.code == Code::busy)) {
    refusal.status = 503;
  }
  refuse(refusal);
  return false;
}

void Relay::refuse(const LocalRefusal& refusal) {
  std::string body;
  JsonWriter(body).begin_object().key("error").text(refusal.text)
      .key("code").text(name_of(refusal.code)).end_object();
  std::string text = head_text(refusal.status, body.size(), true);
  if (refusal.status == 405) text += "allow: GET, HEAD, PUT, POST, DELETE, OPTIONS\r\n";
  text += "content-type: application/json\r\n\r\n" + body;
  if (stream_.write(bytes_of(text)).ok()) close_gently();
}

/// Closing with unread bytes would reset the connection and could take the answer with it: say
/// goodbye, then drop what still comes, within bounds.
void Relay::close_gently() {
  stream_.finish_writing();
  for (std::size_t i = 0; i < kLingerReadsMax; ++i) {
    const auto count = stream_.read(input_, kLingerWaitMax);
    if (!count.ok() || count.value() == 0) return;
  }
}

}  // namespace cloister
