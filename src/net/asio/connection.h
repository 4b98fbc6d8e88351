#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "net/asio/event_loop.h"
#include "net/asio/exchange.h"
#include "net/asio/response_stream.h"
#include "net/asio/tls_session.h"
#include "net/chunked_body.h"
#include "net/request_head.h"

namespace cloister {

/// What all connections of a server share; outlives them.
struct ConnectionService {
  const ListenerSettings& settings;
  RequestHandler& handler;
  PrivateMemoryPool& bodies;
};

/// One connection: TLS handshake, then one request after the other. Lives on its loop's thread;
/// every member is called there.
class HttpConnection final : public SocketEvents,
                             public AnswerTaker,
                             public std::enable_shared_from_this<HttpConnection> {
 public:
  /// `ended` is called once, when the socket is closed.
  HttpConnection(std::uint64_t id, const ConnectionService& service,
                 std::shared_ptr<EventLoop> loop, std::unique_ptr<SocketWatch> socket,
                 std::unique_ptr<TlsSession> tls, std::function<void()> ended);

  void start() noexcept { on_readable(); }
  /// Enforces the deadlines; to be called about every quarter of a second.
  void on_tick(SteadyTime now) noexcept;
  /// Closes as soon as no request is under way.
  void finish() noexcept;
  /// What would be lost with it: the smaller the less.
  struct Loss {
    enum class Kind {
      answered_and_ended,
      never_served,       ///< silent, and no principal's request was answered
      strangers_request,  ///< under way
      between_requests,
      request,  ///< a principal's, under way
    } kind;
    SteadyTime since;
    auto operator<=>(const Loss&) const = default;
  };
  /// Nothing once it is closed.
  std::optional<Loss> loss() const noexcept;
  /// BodyPlan::whose of the request under way.
  std::uint64_t whose() const noexcept { return whose_; }
  void close() noexcept;

  void on_readable() noexcept override;
  void on_writable() noexcept override;
  void on_answer(const AnswerSlot& slot) noexcept override;

 private:
  enum class State { handshake, idle, head, body, handling, writing, lingering, closed };

  /// Works as far as it can, for a turn's length.
  void drive() noexcept;
  /// The same once others had their turn; until then nothing else drives it.
  void drive_later() noexcept;
  /// One step of the state's work; false where it must wait.
  bool step();
  bool step_handshake();
  bool step_head();
  bool step_body();
  bool step_sized_body();
  /// For what one step of a chunked body brings at most, or all that may come.
  bool make_room();
  bool step_chunked_body();
  bool step_handling();
  bool step_writing();
  bool step_lingering();

  void enter(State state) noexcept;
  /// Arms the wait that `state` asks for, or closes. Always false: there is nothing to do now.
  bool wait_for(TlsState state) noexcept;
  void arm_read() noexcept;
  void arm_write() noexcept;

  Bytes buffered() const noexcept { return Bytes(input_).first(input_end_).subspan(input_begin_); }
  void consume_input(std::size_t count) noexcept;
  /// Reads into the free part of the input buffer, which must not be full.
  TlsStep read_input();

  bool take_head(Bytes text);
  bool begin_request(ParsedHead parsed);
  bool decline(HttpResponse response, bool has_body);
  bool begin_body();
  bool dispatch();
  bool refuse(const HttpRefusal& refusal);
  bool respond(HttpResponse response, bool close);
  void begin_lingering() noexcept;

  bool body_too_slow(SteadyTime now) const noexcept;
  bool reader_too_slow(SteadyTime now) noexcept;

  const ConnectionService& service_;
  const std::shared_ptr<EventLoop> loop_;
  std::unique_ptr<SocketWatch> socket_;
  std::unique_ptr<TlsSession> tls_;
  std::function<void()> ended_;

  State state_ = State::handshake;
  bool driving_ = false;
  bool resting_ = false;       ///< until its next turn
  bool finishing_ = false;     ///< no further request is taken
  bool has_served_ = false;    ///< a principal's request was answered
  bool reading_wait_ = false;  ///< a wait for bytes is under way
  bool writing_wait_ = false;
  bool peer_stirred_ = false;  ///< bytes or an end came while a handler works
  std::uint64_t driven_bytes_ = 0;

  ConnectionFacts facts_;
  ByteVector input_;  ///< received, not consumed: [input_begin_, input_end_)
  std::size_t input_begin_ = 0;
  std::size_t input_end_ = 0;
  std::size_t scanned_ = 0;  ///< of the buffered bytes, searched for the head's end

  // The request under way.
  HttpRequestHead head_;
  std::uint64_t whose_ = 0;
  bool head_only_ = false;
  bool close_after_ = false;
  BodyPlan plan_;
  PrivateMemory body_;
  std::uint64_t body_bytes_ = 0;  ///< received
  std::optional<ChunkedBody> chunked_;
  std::optional<HttpResponse> declined_;  ///< what answers once a small unwanted body is read
  std::shared_ptr<AnswerSlot> slot_;

  ResponseStream out_;
  std::function<void()> sent_;  ///< of the response in `out_`
  State after_writing_ = State::idle;

  // Deadlines are kept in ticks' time: no clock is read on the way of the bytes.
  std::uint64_t phase_ = 0;  ///< counts the states entered
  std::uint64_t seen_phase_ = ~std::uint64_t{0};
  SteadyTime phase_began_{};
  std::uint64_t moved_ = 0;  ///< bytes read or written in this phase
  std::uint64_t seen_moved_ = 0;
  SteadyTime moved_at_{};
};

}  // namespace cloister
