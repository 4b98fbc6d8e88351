#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/entropy.h"
#include "base/files.h"
#include "support/sample_model.h"
#include "vault/vault.h"

namespace cloister {

/// Writes one line to the standard output at once, unbuffered: what is read was done.
void say(const std::string& line);

/// The model that version `number` holds, with a weights segment of that size.
SampleModel sample_of(std::uint64_t number, std::uint64_t weights_bytes);
VersionRecord record_of(std::uint64_t number, const SampleModel& sample);

/// The store of these tests, in "full" mode, under the root secret 0101...
Result<std::unique_ptr<Vault>> open_store(Files& files, bool create);
Result<std::unique_ptr<Vault>> open_store(Files& files, Entropy& entropy, bool create);

/// Makes a store, damages it in `count` different ways of every class, one at a time, and checks
/// that each is refused and nothing wrong is served. `only`, if any, names one class. Prints what
/// it did. Returns an exit code.
int tamper(const std::string& folder, std::uint64_t count, std::uint64_t seed,
           const std::string& only);

/// Says each call that changes the disk before it is made, so that the last line of a killed
/// process tells how far it was.
class TracingFiles final : public Files {
 public:
  explicit TracingFiles(Files& files) noexcept : files_(files) {}
  Result<std::unique_ptr<File>> open_for_reading(const std::string& path) override {
    return files_.open_for_reading(path);
  }
  Result<std::unique_ptr<File>> create(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_folder(const std::string& path) override;
  Status make_folder(const std::string& path) override { return files_.make_folder(path); }
  Result<std::vector<FolderEntry>> list(const std::string& path) override {
    return files_.list(path);
  }
  Result<std::unique_ptr<File>> lock(const std::string& path) override { return files_.lock(path); }

 private:
  Files& files_;
};

}  // namespace cloister
