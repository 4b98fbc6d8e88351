#include "net/asio/connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "secret/secret_bytes.h"

namespace cloister {
namespace {

// What one connection may do before others get their turn: bytes moved, each step counting too.
constexpr std::uint64_t kTurnBytes = 256U << 10;
constexpr std::uint64_t kStepBytes = 4096;
constexpr std::uint64_t kDeclinedBodyMax = 64U << 10;  // read and dropped, to keep the connection
constexpr std::uint64_t kLingerBytesMax = 16U << 20;
constexpr std::chrono::milliseconds kLingerTimeMax{2000};
constexpr std::chrono::milliseconds kLastLingerTimeMax{200};  // when the server stops
constexpr std::chrono::seconds kRateGrace{5};
constexpr std::size_t kDirectReadMin = 4096;
// What a body of untold length begins with: of memory for all of it, a byte takes a huge page.
constexpr std::uint64_t kChunkedBodyFirst = 64U << 10;

constexpr HttpRefusal kHeadTooLarge{431, Code::too_large, "request head too large"};
constexpr HttpRefusal kBodyTooLarge{413, Code::too_large, "request body too large"};
constexpr HttpRefusal kTooManyChunks{413, Code::too_large, "request body too large or in crumbs"};
constexpr HttpRefusal kBadChunk{400, Code::invalid, "malformed chunked body"};
constexpr HttpRefusal kNoMemory{503, Code::unavailable, "no memory for the request body"};
constexpr HttpRefusal kTooSlow{408, Code::deadline, "the request came too slowly"};
constexpr HttpRefusal kFailed{500, Code::internal, "the request could not be handled"};

}  // namespace

HttpConnection::HttpConnection(std::uint64_t id, const ConnectionService& service,
                               std::shared_ptr<EventLoop> loop,
                               std::unique_ptr<SocketWatch> socket,
                               std::unique_ptr<TlsSession> tls, std::function<void()> ended)
    : service_(service), loop_(std::move(loop)), socket_(std::move(socket)), tls_(std::move(tls)),
      ended_(std::move(ended)) {
  facts_.connection = id;
}

void HttpConnection::on_readable() noexcept {
  reading_wait_ = false;
  peer_stirred_ = true;
  // A handshake takes as long as many requests, and costs a stranger nothing.
  if (state_ == State::handshake) return drive_later();
  drive();
}

void HttpConnection::on_writable() noexcept {
  writing_wait_ = false;
  if (state_ == State::handshake) return drive_later();
  drive();
}

void HttpConnection::on_answer(const AnswerSlot& slot) noexcept {
  if (slot_.get() == &slot && state_ == State::handling) drive();
}

void HttpConnection::drive() noexcept {
  if (driving_ || resting_) return;
  const auto self = shared_from_this();
  driving_ = true;
  driven_bytes_ = 0;
  try {
    while (state_ != State::closed && step()) {
      driven_bytes_ += kStepBytes;
      if (driven_bytes_ < kTurnBytes) continue;
      drive_later();
      break;
    }
  } catch (...) {
    close();  // memory is short
  }
  driving_ = false;
}

void HttpConnection::drive_later() noexcept {
  if (resting_) return;
  try {
    resting_ = loop_->post_patiently([self = shared_from_this()] {
      self->resting_ = false;
      self->drive();
    });
  } catch (...) {
  }
  if (!resting_) close();  // memory is short, or the loop has ended
}

bool HttpConnection::step() {
  switch (state_) {
    case State::handshake: return step_handshake();
    case State::idle:
    case State::head: return step_head();
    case State::body: return step_body();
    case State::handling: return step_handling();
    case State::writing: return step_writing();
    case State::lingering: return step_lingering();
    case State::closed: break;
  }
  return false;
}

void HttpConnection::enter(State state) noexcept {
  state_ = state;
  ++phase_;
  moved_ = 0;
}

bool HttpConnection::wait_for(TlsState state) noexcept {
  switch (state) {
    case TlsState::want_read: arm_read(); break;
    case TlsState::want_write: arm_write(); break;
    case TlsState::done: break;
    case TlsState::ended: close(); break;
  }
  return false;
}

void HttpConnection::arm_read() noexcept {
  if (reading_wait_) return;
  reading_wait_ = socket_->wait_readable(shared_from_this()).ok();
  if (!reading_wait_) close();
}

void HttpConnection::arm_write() noexcept {
  if (writing_wait_) return;
  writing_wait_ = socket_->wait_writable(shared_from_this()).ok();
  if (!writing_wait_) close();
}

bool HttpConnection::step_handshake() {
  const TlsState state = tls_->handshake();
  if (state != TlsState::done) return wait_for(state);
  if (!tls_->describe(facts_).ok()) return wait_for(TlsState::ended);
  input_.resize(service_.settings.header_bytes_max);
  enter(State::idle);
  return true;
}

void HttpConnection::consume_input(std::size_t count) noexcept {
  input_begin_ += count;
  scanned_ = 0;
  if (input_begin_ == input_end_) input_begin_ = input_end_ = 0;
}

TlsStep HttpConnection::read_input() {
  if (input_begin_ > 0) {
    std::memmove(input_.data(), input_.data() + input_begin_, input_end_ - input_begin_);
    input_end_ -= input_begin_;
    input_begin_ = 0;
  }
  const TlsStep step = tls_->read(MutableBytes(input_).subspan(input_end_));
  input_end_ += step.bytes;
  moved_ += step.bytes;
  return step;
}

bool HttpConnection::step_head() {
  std::string_view text = text_of(buffered());
  while (scanned_ == 0 && text.starts_with("\r\n")) {  // RFC 9112, 2.2
    consume_input(2);
    text = text_of(buffered());
  }
  if (!text.empty() && state_ == State::idle) enter(State::head);
  const std::size_t end = text.find("\r\n\r\n", scanned_);
  if (end != text.npos) return take_head(bytes_of(text.substr(0, end + 4)));
  scanned_ = text.size() < 3 ? 0 : text.size() - 3;
  if (text.size() == input_.size()) return refuse(kHeadTooLarge);
  if (finishing_ && text.empty()) return wait_for(TlsState::ended);
  const TlsStep step = read_input();
  return step.state == TlsState::done || wait_for(step.state);
}

bool HttpConnection::take_head(Bytes text) {
  auto parsed = parse_request_head(text, service_.settings);
  consume_input(text.size());
  if (const HttpRefusal* refusal = std::get_if<HttpRefusal>(&parsed)) return refuse(*refusal);
  return begin_request(std::move(std::get<ParsedHead>(parsed)));
}

bool HttpConnection::begin_request(ParsedHead parsed) {
  forget_credential(head_);
  head_ = std::move(parsed.head);
  head_.connection = facts_;
  head_only_ = head_.method == HttpMethod::head;
  close_after_ = parsed.close;
  body_bytes_ = 0;
  whose_ = 0;
  declined_.reset();
  chunked_.reset();
  HeadDecision decision = BodyPlan{};
  try {
    decision = service_.handler.decide(head_);
  } catch (...) {
    return refuse(kFailed);
  }
  if (HttpResponse* response = std::get_if<HttpResponse>(&decision)) {
    if (parsed.expects_continue) return respond(std::move(*response), true);
    return decline(std::move(*response), head_.has_body);
  }
  plan_ = std::get<BodyPlan>(std::move(decision));
  whose_ = plan_.whose;
  if (!head_.has_body) return dispatch();
  if (head_.content_length.value_or(0) > plan_.bytes_max) return refuse(kBodyTooLarge);
  if (parsed.chunked) chunked_.emplace(plan_.bytes_max);
  if (!parsed.expects_continue || !buffered().empty()) return begin_body();
  out_.start_continue();
  after_writing_ = State::body;
  enter(State::writing);
  return true;
}

bool HttpConnection::decline(HttpResponse response, bool has_body) {
  if (!has_body) return respond(std::move(response), false);
  if (!head_.content_length || *head_.content_length > kDeclinedBodyMax) {
    return respond(std::move(response), true);
  }
  plan_ = BodyPlan{*head_.content_length, BodyPlan{}.seconds_max};
  declined_ = std::move(response);
  return begin_body();
}

bool HttpConnection::begin_body() {
  enter(State::body);
  return true;
}

bool HttpConnection::step_body() {
  if (body_.size() == 0) {
    std::uint64_t size = plan_.lead + head_.content_length.value_or(plan_.bytes_max);
    if (chunked_) size = std::min(size, kChunkedBodyFirst);
    auto memory = service_.bodies.reserve(std::max<std::uint64_t>(size, 1));
    if (!memory.ok()) return refuse(kNoMemory);
    body_ = std::move(memory).value();
  }
  return chunked_ ? step_chunked_body() : step_sized_body();
}

bool HttpConnection::step_sized_body() {
  const MutableBytes rest = body_.bytes().subspan(plan_.lead + body_bytes_);
  if (const Bytes early = buffered(); !early.empty()) {
    const std::size_t count = std::min(early.size(), rest.size());
    std::memcpy(rest.data(), early.data(), count);
    wipe(MutableBytes(input_).subspan(input_begin_, count));
    consume_input(count);
    body_bytes_ += count;
  } else {
    const TlsStep step = tls_->read(rest);
    if (step.state != TlsState::done) return wait_for(step.state);
    body_bytes_ += step.bytes;
    driven_bytes_ += step.bytes;
  }
  moved_ = body_bytes_;
  return body_bytes_ < *head_.content_length || dispatch();
}

bool HttpConnection::make_room() {
  const std::uint64_t most = plan_.lead + plan_.bytes_max, used = plan_.lead + body_bytes_;
  if (body_.size() >= most || body_.size() - used >= input_.size()) return true;
  auto memory = service_.bodies.reserve(most);
  if (!memory.ok()) return false;
  std::ranges::copy(body_.bytes().first(used), memory.value().bytes().begin());
  body_ = std::move(memory).value();
  return true;
}

bool HttpConnection::step_chunked_body() {
  if (!make_room()) return refuse(kNoMemory);
  const MutableBytes rest = body_.bytes().subspan(plan_.lead + body_bytes_);
  if (buffered().empty() && chunked_->chunk_left() >= kDirectReadMin) {
    const std::size_t room = static_cast<std::size_t>(
        std::min<std::uint64_t>(chunked_->chunk_left(), rest.size()));
    const TlsStep step = tls_->read(rest.first(room));
    if (step.state != TlsState::done) return wait_for(step.state);
    chunked_->received(step.bytes);
    body_bytes_ += step.bytes;
    moved_ += step.bytes;
    driven_bytes_ += step.bytes;
    return true;
  }
  if (buffered().empty()) {
    const TlsStep step = read_input();
    if (step.state != TlsState::done) return wait_for(step.state);
    driven_bytes_ += step.bytes;
  }
  const auto decoded = chunked_->decode(buffered(), rest);
  if (!decoded.ok()) {
    return refuse(decoded.error().code == Code::too_large ? kTooManyChunks : kBadChunk);
  }
  const std::size_t consumed = decoded.value().consumed;
  wipe(MutableBytes(input_).subspan(input_begin_, consumed));
  consume_input(consumed);
  body_bytes_ += decoded.value().produced;
  return !chunked_->finished() || dispatch();
}

bool HttpConnection::dispatch() {
  if (declined_) {
    HttpResponse response = *std::exchange(declined_, std::nullopt);
    return respond(std::move(response), false);
  }
  enter(State::handling);
  peer_stirred_ = false;
  slot_ = std::make_shared<AnswerSlot>(loop_, weak_from_this());
  RequestBody body{std::move(body_), body_bytes_, plan_.lead, std::move(plan_.hold)};
  body_ = PrivateMemory();
  try {
    service_.handler.handle(std::move(head_), std::move(body), slot_->make_responder());
  } catch (...) {
    slot_.reset();
    return refuse(kFailed);
  }
  loop_->settle_soon();
  return true;
}

bool HttpConnection::step_handling() {
  if (auto response = slot_->take()) {
    slot_.reset();
    has_served_ = has_served_ || whose_ != 0;
    return respond(std::move(*response), false);
  }
  // Further bytes of the peer are its next requests, kept as far as the buffer goes; an end of the
  // connection means that nobody waits for the answer any more.
  const bool room = input_end_ - input_begin_ < input_.size();
  if (std::exchange(peer_stirred_, false) && room) {
    const TlsStep step = read_input();
    if (step.state != TlsState::done) return wait_for(step.state);
  }
  if (room) arm_read();
  return false;
}

bool HttpConnection::refuse(const HttpRefusal& refusal) {
  return respond(refusal_response(refusal), true);
}

bool HttpConnection::respond(HttpResponse response, bool close) {
  body_ = PrivateMemory();
  close_after_ = close_after_ || close || response.close || finishing_;
  sent_ = std::move(response.sent);
  out_.start(std::move(response), {head_only_, close_after_});
  after_writing_ = close_after_ ? State::lingering : State::idle;
  enter(State::writing);
  return true;
}

bool HttpConnection::step_writing() {
  const Bytes next = out_.front();
  if (!next.empty()) {
    const TlsStep step = tls_->write(next);
    if (step.state != TlsState::done) return wait_for(step.state);
    out_.consume(step.bytes);
    moved_ += step.bytes;
    driven_bytes_ += step.bytes;
    return true;
  }
  out_.finish();
  if (const auto sent = std::exchange(sent_, nullptr)) sent();
  if (after_writing_ == State::lingering) {
    begin_lingering();
    return true;
  }
  if (after_writing_ == State::idle) head_only_ = close_after_ = false;
  enter(after_writing_);
  return true;
}

/// Closing with unread bytes would reset the connection and could take the answer with it: say
/// goodbye, then drop what still comes, within bounds.
void HttpConnection::begin_lingering() noexcept {
  enter(State::lingering);
  tls_->close();
  ::shutdown(socket_->descriptor(), SHUT_WR);
}

bool HttpConnection::step_lingering() {
  constexpr std::size_t kPiece = 1U << 20;
  const auto dropped = ::recv(socket_->descriptor(), nullptr, kPiece, MSG_TRUNC);
  if (dropped < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return wait_for(TlsState::want_read);
  }
  if (dropped <= 0) return wait_for(TlsState::ended);
  moved_ += static_cast<std::uint64_t>(dropped);
  driven_bytes_ += static_cast<std::uint64_t>(dropped);
  return moved_ <= kLingerBytesMax || wait_for(TlsState::ended);
}

void HttpConnection::on_tick(SteadyTime now) noexcept {
  if (phase_ != seen_phase_) {
    seen_phase_ = phase_;
    phase_began_ = moved_at_ = now;
    seen_moved_ = moved_;
    return;
  }
  const auto elapsed = now - phase_began_;
  const ListenerSettings& settings = service_.settings;
  bool late = false;
  bool answer = false;
  switch (state_) {
    case State::handshake: late = elapsed > settings.handshake_time_max; break;
    case State::idle: late = elapsed > settings.idle_time_max; break;
    case State::head: late = answer = elapsed > settings.header_time_max; break;
    case State::body: late = answer = body_too_slow(now); break;
    case State::writing: late = reader_too_slow(now); break;
    case State::lingering:
      late = elapsed > (finishing_ ? kLastLingerTimeMax : kLingerTimeMax);
      break;
    case State::handling:
    case State::closed: break;
  }
  if (state_ == State::body && moved_ != seen_moved_) {
    seen_moved_ = moved_;
    moved_at_ = now;
  }
  if (!late) return;
  if (!answer) return close();
  try {
    refuse(kTooSlow);
    drive();
  } catch (...) {
    close();
  }
}

bool HttpConnection::body_too_slow(SteadyTime now) const noexcept {
  const auto elapsed = now - phase_began_;
  if (elapsed > std::chrono::seconds(plan_.seconds_max)) return true;
  if (moved_ == seen_moved_ && now - moved_at_ > service_.settings.stall_time_max) return true;
  if (elapsed <= kRateGrace) return false;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
  const std::uint64_t rate = moved_ / static_cast<std::uint64_t>(seconds);
  return rate < service_.settings.body_bytes_per_second_min;
}

/// Progress is what the peer has acknowledged: the kernel takes bytes in large steps and would
/// make an honest slow reader look stalled.
bool HttpConnection::reader_too_slow(SteadyTime now) noexcept {
  int waiting = 0;
  if (::ioctl(socket_->descriptor(), SIOCOUTQ, &waiting) != 0 || waiting < 0) return true;
  const std::uint64_t queued = static_cast<std::uint64_t>(waiting);
  const std::uint64_t taken = moved_ > queued ? moved_ - queued : 0;
  if (taken != seen_moved_) {
    seen_moved_ = taken;
    moved_at_ = now;
  }
  if (now - moved_at_ > service_.settings.stall_time_max) return true;
  // A trickle is progress, but it holds the answer's memory and its model for as long as it likes.
  const auto elapsed = now - phase_began_;
  if (elapsed <= kRateGrace) return false;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
  return taken / static_cast<std::uint64_t>(seconds) < service_.settings.body_bytes_per_second_min;
}

std::optional<HttpConnection::Loss> HttpConnection::loss() const noexcept {
  // What is younger than a tick has no time yet.
  const SteadyTime since = phase_ == seen_phase_ ? phase_began_ : SteadyTime::max();
  switch (state_) {
    case State::closed: return std::nullopt;
    case State::lingering: return Loss{Loss::Kind::answered_and_ended, since};
    case State::handshake:
    case State::idle:
    case State::head:
      return Loss{has_served_ ? Loss::Kind::between_requests : Loss::Kind::never_served, since};
    case State::body:
    case State::handling:
    case State::writing: break;
  }
  return Loss{whose_ == 0 ? Loss::Kind::strangers_request : Loss::Kind::request, since};
}

void HttpConnection::finish() noexcept {
  finishing_ = true;
  const bool between = state_ == State::handshake || state_ == State::lingering ||
                       (state_ == State::idle && buffered().empty());
  if (between) close();
}

void HttpConnection::close() noexcept {
  if (state_ == State::closed) return;
  if (state_ != State::lingering) tls_->close();
  enter(State::closed);
  if (const auto slot = std::exchange(slot_, nullptr)) slot->peer_gone();
  wipe(input_);
  forget_credential(head_);
  out_.finish();
  body_ = PrivateMemory();
  declined_.reset();
  tls_.reset();
  socket_.reset();
  if (const auto ended = std::exchange(ended_, nullptr)) ended();
}

}  // namespace cloister
