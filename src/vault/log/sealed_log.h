#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/entropy.h"
#include "base/files.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "secret/secret_bytes.h"

namespace cloister {

class AeadMaker;
using StoreId = std::array<std::byte, 16>;  // as in vault/format.h

inline constexpr std::size_t kLogEntryBytesMax = 32U << 20;
inline constexpr std::uint64_t kLogFileBytesMax = 64U << 20;

/// How far a log had come: kept in the catalogue, it makes a shortened log show.
struct LogPosition {
  std::uint64_t generation = 0;  ///< of the log's file
  std::uint64_t entries = 0;     ///< in that file
  Sha256Digest chain{};          ///< over the file up to there
  bool operator==(const LogPosition&) const = default;
};
ByteVector encode_position(const LogPosition& position);
/// Fails: `corrupt`.
Result<LogPosition> decode_position(Bytes encoded);

/// Entries that are appended often and are durable at once, beside the catalogue and without a new
/// epoch for each: usage and audit. One file at a time; every entry has a key of its own and is
/// bound to all before it. Used by one thread at a time.
/// Source: docs/store-format.md, "Logs".
class SealedLog {
 public:
  struct Parts {
    Files& files;
    Entropy& entropy;
    const AeadMaker& aeads;
    SecretBytes key;    ///< 32 bytes: StoreKeys::log_key()
    StoreId store;
    std::string name;        ///< the log's folder below `log/`, is_name()
  };

  /// Opens the log, or makes it where there is none and `anchored` names none. What an interrupted
  /// append left at the end is passed over, but never anything up to `anchored`.
  /// Fails: `corrupt` (missing, shortened, damaged, of another store), `io`.
  static Result<std::unique_ptr<SealedLog>> open(Parts parts,
                                                 const std::optional<LogPosition>& anchored);

  /// The entries that `open` found, oldest first. Once.
  std::vector<ByteVector> take_entries() noexcept { return std::exchange(entries_, {}); }

  /// Appends one entry of 1 to kLogEntryBytesMax bytes; durable on success. After a failed append
  /// nothing more is accepted until `restart`. Fails: `io`, `too_large`, `unavailable`.
  Status append(Bytes entry);
  /// Begins a new file with `entry` as its first, durably, and removes the old one: how a log is
  /// kept short. On failure the log is as before or accepts nothing more. Fails: as `append`.
  Status restart(Bytes entry);

  LogPosition position() const noexcept { return position_; }
  /// Bytes in the file now.
  std::uint64_t bytes() const noexcept { return size_; }

 private:
  explicit SealedLog(Parts parts) : parts_(std::move(parts)) {}
  std::string folder() const;
  std::string path_of(std::uint64_t generation) const;
  ByteVector header_of(std::uint64_t generation) const;
  Result<std::vector<std::uint64_t>> list_generations();
  Status load(std::uint64_t generation, const std::optional<LogPosition>& anchored);
  Result<ByteVector> seal(const LogPosition& at, Bytes entry) const;
  Status begin(std::uint64_t generation, const ByteVector& first);
  void remove_before(std::uint64_t generation);

  Parts parts_;
  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
  LogPosition position_;
  std::vector<ByteVector> entries_;
  bool stuck_ = false;
};

}  // namespace cloister
