#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/linux/descriptor.h"

namespace cloister {

/// What holds a worker back. A seccomp filter is always in force; the rest depends on the host.
struct Confinement {
  bool own_user = false;           ///< runs as a user id that nothing else has
  bool user_namespace = false;
  bool pid_namespace = false;      ///< sees no process but itself
  bool network_namespace = false;  ///< has no network interface at all
  bool landlock = false;           ///< may open no file, even before the filter is set
  /// Whether everything that `demanded` asks for is here.
  bool covers(const Confinement& demanded) const noexcept;
  /// What is in force, in words joined by blanks: "seccomp limits landlock own-user ...".
  std::string words() const;
  /// What such words stand for; "seccomp" and "limits" are always there. Fails: `invalid`.
  static Result<Confinement> of(std::span<const std::string> words);
};

/// What a worker is started from: sealed memory files, so that what runs is what was hashed.
struct WorkerProgram {
  int program = -1;
  int library = -1;
  std::vector<std::string> arguments;  ///< after the program's name
};

inline constexpr int kWorkerSocket = 3;   ///< descriptor numbers inside the worker
inline constexpr int kWorkerLibrary = 4;

/// Memory in bytes that only this process has now.
std::uint64_t private_bytes_of_this_process();

/// A child process that holds nothing of this process but its end of a socket and the library, and
/// that dies with the thread which started it. Ended and reaped in the destructor.
class WorkerProcess {
 public:
  WorkerProcess() = default;
  /// Starts one with as much confinement as the host permits, but no less than `demanded` (Landlock
  /// aside, which the worker sets itself); `in_force` says which. The calling thread must outlive
  /// it. Fails: `io` (its memory cannot be counted, too), `unavailable` (no more processes, or the
  /// host permits less).
  static Result<WorkerProcess> start(const WorkerProgram& program, const Confinement& demanded);
  WorkerProcess(WorkerProcess&& other) noexcept = default;
  WorkerProcess& operator=(WorkerProcess&& other) noexcept;
  ~WorkerProcess();

  int socket() const noexcept { return socket_.number(); }
  const Confinement& in_force() const noexcept { return confinement_; }
  void set_landlock(bool in_force) noexcept { confinement_.landlock = in_force; }
  bool alive() const noexcept;
  void end() const noexcept;
  /// Memory that only this process has, in bytes, now.
  std::uint64_t private_bytes() const;
  /// Processor time of all its threads since it started; nothing once it ended.
  std::optional<std::chrono::nanoseconds> processor_time() const;

 private:
  Descriptor process_;  // a pidfd: a number that is never another process's
  int pid_ = -1;
  Descriptor memory_count_;
  Descriptor socket_;
  Confinement confinement_;
};

}  // namespace cloister
