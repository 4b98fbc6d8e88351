#include <signal.h>

#include <atomic>
#include <cstdio>
#include <utility>

#include "commands.h"
#include "encoding/json_writer.h"
#include "proxy/proxy.h"

namespace cloister {
namespace {

constexpr std::chrono::seconds kDrain{10};

/// What there is to say about verdicts: every one at the start, later on only when it changes.
class Verdicts {
 public:
  explicit Verdicts(const Options& options) : options_(options) {}

  void judged(const Verdict& verdict) {
    const MutexLock lock(mutex_);
    const bool accepted = verdict.accepted();
    const bool changed = std::exchange(accepted_, accepted) != accepted;
    if (changed && !accepted) say_refusal(verdict, options_);
    if (changed && accepted && !first_.empty()) {
      std::fputs("cloister: the server is verified again\n", stderr);
    }
    if (first_.empty()) first_ = options_.json ? verdict_json(verdict) : verdict_text(verdict);
  }
  std::string first() {
    const MutexLock lock(mutex_);
    return first_;
  }

 private:
  const Options& options_;
  Mutex mutex_;
  bool accepted_ GUARDED_BY(mutex_) = true;
  std::string first_ GUARDED_BY(mutex_);
};

void print_start(const Options& options, const std::string& url, const std::string& verdict) {
  if (options.json) {
    std::string json;
    JsonWriter(json).begin_object().key("url").text(url).key("verdict").raw(verdict).end_object();
    print_line(json);
  } else {
    print_text(printable(verdict));
    print_line("url: " + printable(url));
  }
  std::fflush(stdout);
}

/// Blocked here, before there are other threads, the signals wait for sigwait below.
sigset_t block_end_signals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  return ends;
}

Result<PoolSettings> pool_settings(const Options& options, const Tools& tools,
                                   Verdicts& verdicts) {
  PoolSettings settings;
  CLOISTER_ASSIGN(settings.server, parse_server_url(options.server));
  settings.trust = [&options] { return trust_settings(options); };
  settings.judged = [&verdicts](const Verdict& verdict) { verdicts.judged(verdict); };
  if (options.add_token) {
    CLOISTER_ASSIGN(SecretBytes token, read_token(options, tools));
    settings.token = std::make_shared<const SecretBytes>(std::move(token));
  }
  return settings;
}

}  // namespace

Outcome run_proxy(const Options& options, Tools& tools) {
  const sigset_t ends = block_end_signals();
  const auto address = parse_local_address(options.listen);
  if (!address.ok()) return ConsoleReport::failed(address.error());
  Verdicts verdicts(options);
  auto settings = pool_settings(options, tools, verdicts);
  if (!settings.ok()) return ConsoleReport::failed(settings.error());
  SessionPool sessions(std::move(settings).value(), tools.clock, tools.entropy);
  auto first = sessions.take();
  if (!first.ok()) {
    const bool said = first.error().code == Code::unverified && !verdicts.first().empty();
    return said ? Outcome::not_verified : ConsoleReport::failed(first.error());
  }
  sessions.give_back(std::move(first).value(), true);
  auto listener = listen_locally(address.value());
  if (!listener.ok()) return ConsoleReport::failed(listener.error());
  const std::uint16_t port = listener.value()->port();
  const RelayService service{sessions, tools.clock, own_names_of(address.value(), port),
                             ConsoleReport::text_of};
  Proxy proxy(std::move(listener).value(), service);
  const Status started = proxy.start();
  if (!started.ok()) return ConsoleReport::failed(started.error());
  const std::string& host = address.value().host;
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  print_start(options, address.value().path.empty()
                           ? "http://" + shown + ":" + std::to_string(port)
                           : "unix:" + address.value().path,
              verdicts.first());
  int signal_number = 0;
  sigwait(&ends, &signal_number);
  proxy.stop(kDrain);
  return Outcome::done;
}

}  // namespace cloister
