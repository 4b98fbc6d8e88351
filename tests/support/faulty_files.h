#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"

namespace cloister {

/// How the armed call goes wrong.
enum class Fault {
  fails,                      ///< `io`, and nothing was done
  is_cut_short,               ///< a read or write stops half way; anything else is done; `io`
  is_last_before_power_loss,  ///< succeeds; every later call fails with `io` until power returns
};

/// What a power loss leaves of what was not synced. A store must stand all of them.
enum class Survival {
  everything,         ///< as if the process alone had died
  nothing,            ///< files and folders are as they were last synced
  entries_only,       ///< creations, renames and removals happened; the data written is lost
  data_only,          ///< the data is there; creations, renames and removals are lost
  half_of_each_file,  ///< as `entries_only`, but the first half of each unsynced file is written
};

/// Files in memory that remember what was synced, after leveldb's fault-injection test. Every call
/// on it and on the files that it opened counts as one, and one of them can be made to go wrong:
/// a test runs once without a fault, reads `calls()`, and then repeats itself for each of them.
/// Safe from several threads at once.
class FaultyFiles final : public Files {
 public:
  FaultyFiles();
  ~FaultyFiles() override;

  /// Calls since construction or since `arm`.
  std::uint64_t calls() const;
  /// Makes the call number `call`, counted from 0 as of now, go wrong; replaces an older order.
  void arm(std::uint64_t call, Fault fault);
  /// Cuts the power now and brings it back: locks are free, files opened before fail with `io`,
  /// and what had not been synced is left as `survival` says. No fault stays armed.
  void lose_power(Survival survival);

  /// The content of every regular file now, by path.
  std::map<std::string, ByteVector> contents() const;
  /// Puts `content` at `path` and syncs it, as an attacker or an older backup would. Makes the
  /// folders it needs.
  void plant(const std::string& path, ByteVector content);
  /// Puts something that is no regular file at `path`.
  void plant_kind(const std::string& path, FileKind kind);
  /// Every range of bytes that was ever written, also to files that are gone.
  std::vector<ByteVector> writes() const;

  Result<std::unique_ptr<File>> open_for_reading(const std::string& path) override;
  Result<std::unique_ptr<File>> create(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_folder(const std::string& path) override;
  Status make_folder(const std::string& path) override;
  Result<std::vector<FolderEntry>> list(const std::string& path) override;
  Result<std::unique_ptr<File>> lock(const std::string& path) override;

 private:
  struct Disk;
  class OpenFile;
  std::shared_ptr<Disk> disk_;
};

}  // namespace cloister
