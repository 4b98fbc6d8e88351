// Prints the time of each verification of one TDX quote with its collateral, in nanoseconds.
// Nothing is kept between two of them. usage: verify_bench FOLDER ROUNDS, where FOLDER holds
// td.quote, the collateral under its usual names, and now.txt (seconds since 1970).

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "verifier/verifier.h"

namespace {

cloister::ByteVector content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return cloister::copy_of(cloister::bytes_of(text));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: verify_bench FOLDER ROUNDS\n", stderr);
    return 2;
  }
  std::map<std::string, cloister::ByteVector> files;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) {
    files[entry.path().filename()] = content_of(entry.path());
  }
  const cloister::Endorsements endorsements = cloister::endorsements_of(files);
  const cloister::RecordedEvidence recorded{{{"td.quote", files["td.quote"]}}, "", {}};
  const std::string seconds(cloister::text_of(files["now.txt"]));
  const cloister::UtcSeconds now{std::chrono::seconds(std::atoll(seconds.c_str()))};
  for (int round = std::atoi(arguments[2]); round > 0; --round) {
    const auto start = std::chrono::steady_clock::now();
    const cloister::Verdict verdict =
        cloister::judge_recorded_evidence(recorded, endorsements, cloister::Policy(), now);
    const auto took = std::chrono::steady_clock::now() - start;
    if (verdict.tcb_status != cloister::TcbStatus::up_to_date) {
      std::fputs("verify_bench: the quote is not judged up to date\n", stderr);
      return 1;
    }
    std::printf("%lld\n", static_cast<long long>(
                              std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
  }
  return 0;
}
