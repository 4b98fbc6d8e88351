#include "base/posix/process.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace cloister {
namespace {

TEST(ReadOperatorFile, RefusesWhatIsAbsentOrTooLargeOrNoFile) {
  EXPECT_EQ(read_operator_file("/nonexistent/file", 10).error().code, Code::not_found);
  EXPECT_EQ(read_operator_file("/proc/self/status", 10).error().code, Code::too_large);
  EXPECT_EQ(read_operator_file("/dev/zero", 1 << 21).error().code, Code::too_large);
  EXPECT_EQ(read_operator_file("/", 10).error().code, Code::io);
}

TEST(ReadOperatorFile, ReadsFilesWhoseSizeIsNotKnownBefore) {
  const auto content = read_operator_file("/proc/self/status", 1 << 20);
  ASSERT_TRUE(content.ok());
  EXPECT_TRUE(text_of(content.value()).starts_with("Name:"));
}

TEST(ProgramPath, NamesThisTest) {
  EXPECT_TRUE(program_path().value().ends_with("base_posix_test"));
}

TEST(LowerThreadPriority, ConcernsTheCallingThreadAlone) {
  const int before = getpriority(PRIO_PROCESS, 0);
  int inside = 0;
  std::jthread([&] {
    lower_thread_priority();
    inside = getpriority(PRIO_PROCESS, 0);
  }).join();
  EXPECT_EQ(inside, std::max(before, 10));
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), before);
}

TEST(SwapIsActive, CanBeTold) { EXPECT_TRUE(swap_is_active().ok()); }

void exit_hardened() {
  const bool hardened = harden_process().ok();
  rlimit core{};
  const bool no_core = ::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0;
  ::_exit(hardened && no_core && ::prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1);
}

TEST(HardenProcess, LeavesNoDumpBehind) {
  EXPECT_EXIT(exit_hardened(), ::testing::ExitedWithCode(0), "");
}

void exit_by_signal(int number) {
  block_stop_signals();
  const bool early = wait_for_stop_signal(std::chrono::seconds(0));
  ::raise(number);
  ::raise(SIGPIPE);
  ::_exit(!early && wait_for_stop_signal(std::chrono::seconds(60)) ? 0 : 1);
}

TEST(WaitForStopSignal, ReceivesBothSignalsAndOutlivesABrokenPipe) {
  EXPECT_EXIT(exit_by_signal(SIGTERM), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_by_signal(SIGINT), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cloister
