#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

inline constexpr std::size_t kNpzMembersMax = 1024;

/// One array of a `.npz` file, still as it is stored. `stored` lies in the file's bytes.
struct NpzMember {
  std::string name;  ///< without `.npy`
  Bytes stored;
  bool is_deflated = false;
  std::uint64_t bytes = 0;  ///< once inflated
  std::uint32_t crc32 = 0;
};

/// Reads the directory of a `.npz` file: a ZIP archive of stored or deflated `.npy` members.
/// Refused: encryption, other methods, members past 4 GiB, duplicate names, path names (absolute,
/// `..`, `\`), members that overlap or that the directory does not match, more than one archive,
/// and an inflated size of all deflated members together past `inflated_bytes_max`.
/// Fails: `invalid`, `unsupported`, `too_large`. Source: PKWARE APPNOTE 6.3.10.
Result<std::vector<NpzMember>> read_npz(Bytes file, std::uint64_t inflated_bytes_max);

/// The member's bytes, their CRC-32 checked: a view of the file, or inflated into `memory`, which
/// must hold `member.bytes` if it is deflated. Fails: `invalid`.
Result<Bytes> npz_member_bytes(const NpzMember& member, MutableBytes memory);

/// Lays out a `.npz` file of stored members without copying their data.
class NpzWriter {
 public:
  /// A member `name`.npy: `header`, then `data`, which must outlive the use of the pieces.
  /// Fails: `too_large` where a size does not fit ZIP's 32 bits.
  Status add(const std::string& name, std::string header, Bytes data);
  /// The whole file, in order. Call once, last; the views hold as long as the writer stays in
  /// place. Fails: `too_large`.
  Result<std::vector<Bytes>> finish();

 private:
  void append_text(std::string text);

  std::deque<std::string> texts_;  ///< a deque: growing moves nothing
  std::vector<Bytes> pieces_;
  std::string directory_;
  std::uint64_t size_ = 0;
  std::uint16_t members_ = 0;
};

}  // namespace cloister
