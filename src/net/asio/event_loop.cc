#include "net/asio/event_loop.h"

#include <sys/socket.h>
#include <unistd.h>

// One thread runs each loop and everything that comes from others passes its queue's mutex, so
// that Asio's own fences (which ThreadSanitizer cannot follow) order nothing more.
#define BOOST_ASIO_DISABLE_FENCED_BLOCK

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <deque>
#include <utility>

#include "base/mutex.h"

namespace cloister {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kTick{250};
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr int kAcceptsPerRound = 64;
constexpr int kBacklog = 1024;

class AsioWatch final : public SocketWatch {
 public:
  explicit AsioWatch(tcp::socket socket) : socket_(std::move(socket)) {}
  ~AsioWatch() override {
    error_code ignored;
    socket_.close(ignored);
  }

  int descriptor() const noexcept override { return descriptor_; }

  Status wait_readable(std::shared_ptr<SocketEvents> events) noexcept override {
    return wait(tcp::socket::wait_read, &SocketEvents::on_readable, std::move(events));
  }
  Status wait_writable(std::shared_ptr<SocketEvents> events) noexcept override {
    return wait(tcp::socket::wait_write, &SocketEvents::on_writable, std::move(events));
  }

 private:
  Status wait(tcp::socket::wait_type type, void (SocketEvents::*report)() noexcept,
              std::shared_ptr<SocketEvents> events) noexcept {
    try {
      socket_.async_wait(type, [report, kept = std::move(events)](const error_code& error) {
        if (error != asio::error::operation_aborted) (kept.get()->*report)();
      });
    } catch (...) {
      return Error{Code::io, "net.wait"};
    }
    return Done{};
  }

  tcp::socket socket_;
  const int descriptor_ = socket_.native_handle();
};

class AsioLoop final : public EventLoop, public std::enable_shared_from_this<AsioLoop> {
 public:
  explicit AsioLoop(std::function<void()> settle) : settle_(std::move(settle)) {}

  asio::io_context& context() noexcept { return context_; }

  void run() noexcept override {
    for (bool ended = false; !ended;) {
      try {
        context_.run();
        ended = true;
      } catch (...) {
        // Only memory can be short here: the task is lost, its connection ends at a deadline.
      }
    }
  }

  bool post(std::function<void()> task) noexcept override {
    const MutexLock lock(mutex_);
    if (closed_) return false;
    try {
      asio::post(context_, std::move(task));
    } catch (...) {
      return false;
    }
    return true;
  }

  bool post_patiently(std::function<void()> task) noexcept override {
    try {
      patient_.push_back(std::move(task));
    } catch (...) {
      return false;
    }
    if (!next_posted_) post_next();
    return next_posted_;
  }

  bool on_this_thread() const noexcept override {
    return work_.get_executor().running_in_this_thread();
  }

  void settle_soon() noexcept override {
    if (settling_) return;
    settling_ = post([this] {
      settling_ = false;
      settle_();
    });
    if (!settling_) settle_();
  }

  void close() noexcept override {
    const MutexLock lock(mutex_);
    closed_ = true;
    context_.stop();
  }

  void drain() noexcept override {
    // What is queued may hold this loop: it must not stay in the queue.
    context_.restart();
    try {
      while (context_.poll() > 0) {
      }
    } catch (...) {
    }
    std::exchange(patient_, {}).clear();
  }

  Result<std::unique_ptr<SocketWatch>> watch(int descriptor) noexcept override {
    bool taken = false;
    try {
      tcp::socket socket(context_);
      error_code error;
      socket.assign(tcp::v4(), descriptor, error);
      taken = !error;
      if (taken) {
        return std::unique_ptr<SocketWatch>(std::make_unique<AsioWatch>(std::move(socket)));
      }
    } catch (...) {
    }
    if (!taken) ::close(descriptor);
    return Error{Code::io, "net.watch"};
  }

  void start_ticking(std::function<bool(SteadyTime)> tick) noexcept override {
    tick_ = std::move(tick);
    next_tick();
  }

 private:
  void next_tick() noexcept {
    try {
      timer_.expires_after(kTick);
      timer_.async_wait([this](const error_code& error) {
        if (!error && tick_(std::chrono::steady_clock::now())) next_tick();
      });
    } catch (...) {
      // Without memory for a timer connections live on without deadlines until the next start.
    }
  }

  /// By way of a step in between: Asio looks for ready sockets meanwhile, and what it finds comes
  /// before the task then.
  void post_next() noexcept {
    next_posted_ = post([this] { next_posted_ = post([this] { run_next(); }); });
  }

  void run_next() {
    const std::function<void()> task = std::move(patient_.front());
    patient_.pop_front();
    next_posted_ = false;
    if (!patient_.empty()) post_next();
    task();
  }

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  asio::steady_timer timer_{context_};
  std::function<bool(SteadyTime)> tick_;
  const std::function<void()> settle_;
  bool settling_ = false;
  std::deque<std::function<void()>> patient_;
  bool next_posted_ = false;  // the first of them has its turn soon
  Mutex mutex_;
  bool closed_ GUARDED_BY(mutex_) = false;
};

class AsioListener final : public Listener {
 public:
  AsioListener(AsioLoop& loop, std::function<void(int)> accepted)
      : acceptor_(loop.context()), timer_(loop.context()), accepted_(std::move(accepted)) {}
  ~AsioListener() override {
    error_code ignored;
    acceptor_.close(ignored);
  }

  Status open(const std::string& address, std::uint16_t port) {
    error_code error;
    const auto numeric = asio::ip::make_address(address, error);
    if (error) return Error{Code::invalid, "net.listen.address"};
    const tcp::endpoint endpoint(numeric, port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(kBacklog, error);
    if (!error) acceptor_.non_blocking(true, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error) return Error{Code::io, "net.listen"};
    wait();
    return Done{};
  }

  std::uint16_t port() const noexcept override { return port_; }

 private:
  void wait() {
    acceptor_.async_wait(tcp::acceptor::wait_read, [this](const error_code& error) {
      if (!error) accept_all();
    });
  }

  void accept_all() {
    for (int i = 0; i < kAcceptsPerRound; ++i) {
      const int descriptor = ::accept4(acceptor_.native_handle(), nullptr, nullptr,
                                       SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor >= 0) {
        accepted_(descriptor);
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return pause();
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    }
    wait();
  }

  /// Out of descriptors or memory: asking again at once would only burn the CPU.
  void pause() {
    timer_.expires_after(kAcceptPause);
    timer_.async_wait([this](const error_code& error) {
      if (!error) wait();
    });
  }

  tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  std::function<void(int)> accepted_;
  std::uint16_t port_ = 0;
};

}  // namespace

Result<std::shared_ptr<EventLoop>> make_event_loop(std::function<void()> settle) {
  try {
    return std::shared_ptr<EventLoop>(std::make_shared<AsioLoop>(std::move(settle)));
  } catch (...) {
    return Error{Code::io, "net.loop"};
  }
}

Result<std::unique_ptr<Listener>> listen_on(EventLoop& loop, const std::string& address,
                                            std::uint16_t port,
                                            std::function<void(int)> accepted) {
  auto* asio_loop = dynamic_cast<AsioLoop*>(&loop);
  CLOISTER_CHECK(asio_loop != nullptr);
  try {
    auto listener = std::make_unique<AsioListener>(*asio_loop, std::move(accepted));
    CLOISTER_TRY(listener->open(address, port));
    return std::unique_ptr<Listener>(std::move(listener));
  } catch (...) {
    return Error{Code::io, "net.listen"};
  }
}

}  // namespace cloister
