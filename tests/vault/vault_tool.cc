// The vault on real files, driven from Python: a program to kill, to tamper with and to compare
// with. Versions are sample models: their number says what must be in them.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "base/check.h"
#include "base/posix/posix_clock.h"
#include "base/posix/posix_entropy.h"
#include "base/posix/posix_files.h"
#include "support/fake_entropy.h"
#include "support/sample_model.h"
#include "vault/format.h"
#include "vault/tool.h"
#include "vault/vault.h"

namespace cloister {

std::uint64_t number_of(const std::string& text) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  CLOISTER_CHECK(parsed.ec == std::errc() && parsed.ptr == text.data() + text.size());
  return value;
}

void say(const std::string& line) {
  const std::string whole = line + "\n";
  CLOISTER_CHECK(::write(STDOUT_FILENO, whole.data(), whole.size()) ==
                 static_cast<ssize_t>(whole.size()));
}

SampleModel sample_of(std::uint64_t number, std::uint64_t weights_bytes) {
  return SampleModel(number, 1 + number * 37 % 5000, weights_bytes);
}

VersionRecord record_of(std::uint64_t number, const SampleModel& sample) {
  VersionRecord record;
  record.ref = {{{"owner"}, "model"}, {number}};
  record.sha256 = sha256(sample.weights());
  record.upload_bytes = sample.weights().size();
  record.uploaded_at = UtcSeconds(std::chrono::seconds(1'760'000'000 + number));
  record.signature = sample.model().bundle().signature;
  record.cost = sample.model().cost();
  return record;
}

Result<std::unique_ptr<Vault>> open_store(Files& files, bool create) {
  static PosixEntropy entropy;
  return open_store(files, entropy, create);
}

Result<std::unique_ptr<Vault>> open_store(Files& files, Entropy& entropy, bool create) {
  static PosixClock clock;
  static NoAnchor anchor;
  VaultSettings settings;
  settings.integrity = IntegrityMode::full;
  return open_vault({files, entropy, clock, anchor}, SecretBytes(ByteVector(32, std::byte{1})),
                    settings, create);
}

namespace {

/// Uploads each "number:bytes" of `what`.
void upload(Vault& vault, const std::vector<std::string>& what) {
  for (const std::string& item : what) {
    const std::size_t colon = item.find(':');
    const std::uint64_t number = number_of(item.substr(0, colon));
    const SampleModel sample = sample_of(number, number_of(item.substr(colon + 1)));
    auto staged = vault.stage(record_of(number, sample), sample.model());
    CLOISTER_CHECK(staged.ok() && vault.commit(std::move(staged).value()).ok());
  }
}

int seal(Files& files, const std::vector<std::string>& what) {
  auto vault = open_store(files, true);
  CLOISTER_CHECK(vault.ok());
  upload(*vault.value(), what);
  CLOISTER_CHECK(vault.value()->put_record("principals", bytes_of("alice")).ok());
  return 0;
}

/// As `seal` in a store that exists, on a machine whose random numbers are those in a file: its
/// name comes first.
int seal_recorded(Files& files, const std::vector<std::string>& what) {
  std::ifstream file(what.at(0), std::ios::binary);
  const std::string recording((std::istreambuf_iterator<char>(file)),
                              std::istreambuf_iterator<char>());
  RecordedEntropy entropy(copy_of(bytes_of(recording)));
  auto vault = open_store(files, entropy, false);
  CLOISTER_CHECK(vault.ok());
  upload(*vault.value(), {what.begin() + 1, what.end()});
  return 0;
}

/// Opens the store and every version in it, and says what is there.
int check(Files& files) {
  const auto opened = open_store(files, false);
  if (!opened.ok()) {
    say("refused " + std::string(opened.error().where.text));
    return 1;
  }
  const auto& vault = *opened.value();
  const Status read = vault.with_record("principals", [](Bytes content) -> Status {
    say("record " + hex_of(content));
    return Done{};
  });
  CLOISTER_CHECK(read.ok());
  const auto records = vault.versions();
  for (const VersionRecord& record : records) {
    const auto version = vault.open_version(record.ref);
    const std::string name = std::to_string(record.ref.version.value);
    if (!version.ok()) {
      say("damaged " + name + " " + version.error().where.text);
      continue;
    }
    const OpenedModel& model = version.value();
    const SampleModel sample = sample_of(record.ref.version.value, model.weights.size());
    const bool same = equal_in_constant_time(model.weights.bytes(), sample.weights()) &&
                      model.bundle.graph == sample.model().bundle().graph;
    say((same ? "version " : "wrong ") + name + " " + hex_of(sha256(model.weights.bytes())) + " " +
        hex_of(sha256(model.bundle.graph)));
  }
  return 0;
}

/// Changes the store without end, telling what it begins and what was acknowledged, until killed.
int change(Files& real, std::uint64_t seed, std::uint64_t next) {
  TracingFiles files(real);
  auto opened = open_store(files, true);
  CLOISTER_CHECK(opened.ok());
  auto& vault = *opened.value();
  std::mt19937_64 random(seed);
  for (;; ++next) {
    const SampleModel sample = sample_of(next, 256 + random() % 3'000'000);
    say("begin upload " + std::to_string(next));
    auto staged = vault.stage(record_of(next, sample), sample.model());
    CLOISTER_CHECK(staged.ok() && vault.commit(std::move(staged).value()).ok());
    say("done upload " + std::to_string(next));
    if (random() % 3 != 0) continue;
    const auto versions = vault.versions();
    const VersionRef ref = versions[random() % versions.size()].ref;
    say("begin erase " + std::to_string(ref.version.value));
    CLOISTER_CHECK(vault.erase(ref).ok());
    say("done erase " + std::to_string(ref.version.value));
    say("begin record " + std::to_string(next));
    CLOISTER_CHECK(vault.put_record("principals", bytes_of(std::to_string(next))).ok());
    say("done record " + std::to_string(next));
  }
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) {
    std::fputs("usage: vault_tool seal|seal_recorded|check|change|tamper FOLDER ...\n", stderr);
    return 2;
  }
  const std::vector<std::string> rest(arguments.begin() + 2, arguments.end());
  const auto files = open_posix_files(arguments[1], IfAbsent::create).value();
  if (arguments[0] == "seal") return seal(*files, rest);
  if (arguments[0] == "seal_recorded") return seal_recorded(*files, rest);
  if (arguments[0] == "check") return check(*files);
  CLOISTER_CHECK(rest.size() == 2 || rest.size() == 3);
  if (arguments[0] == "change") return change(*files, number_of(rest[0]), number_of(rest[1]));
  if (arguments[0] == "tamper") {
    return tamper(arguments[1], number_of(rest[0]), number_of(rest[1]),
                  rest.size() == 3 ? rest[2] : "");
  }
  return 2;
}

}  // namespace
}  // namespace cloister

int main(int count, char** arguments) {
  return cloister::run(std::vector<std::string>(arguments + 1, arguments + count));
}
