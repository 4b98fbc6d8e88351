#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/hpke.h"
#include "crypto/sha256.h"
#include "model/model.h"

namespace cloister {

inline constexpr std::size_t kSealedChunkBytes = 1U << 20;
inline constexpr std::size_t kSealedHeaderBytesMax = 4096;
inline constexpr std::uint64_t kSealedModelBytesMax = 64ULL << 30;

/// What must hold of the server that admits a sealed model; what is absent may be anything.
struct SealedPolicy {
  std::optional<Sha256Digest> configuration;  ///< as in the claims
  std::optional<Sha256Digest> software;
  std::optional<std::string> isolation, anchor;
  bool operator==(const SealedPolicy&) const = default;
};

/// What stands, authenticated and in the clear, before a sealed model.
struct SealedHeader {
  PrincipalId owner;        ///< the only principal who can become its owner
  std::string name;         ///< is_name()
  VersionNumber version;
  UtcSeconds expires{};     ///< not admitted from then on
  std::uint64_t size = 0;   ///< bytes of the model file, 1 to kSealedModelBytesMax
  Sha256Digest sha256{};    ///< of the model file
  SealedPolicy policy;
  bool operator==(const SealedHeader&) const = default;
};

/// Bytes of the file that a model of `size` bytes is sealed into, after its preface.
std::uint64_t sealed_chunks_bytes(std::uint64_t size) noexcept;

/// Writes one sealed model: preface(), then chunk() for each piece of the file. The file's layout
/// is in docs/sealed-models.md; keys and nonces are HPKE's (RFC 9180).
class ModelSealer {
 public:
  /// Fails: `invalid` for a header with a bad name, version, size or text; `unverified` for a
  /// public key of small order.
  static Result<ModelSealer> make(const SealedHeader& header, const KemPublicKey& recipient);

  const ByteVector& preface() const noexcept { return preface_; }
  /// The next kSealedChunkBytes of the model file, or what is left of it, sealed.
  /// Fails: `invalid` for a piece of another length or past the end.
  Result<ByteVector> chunk(Bytes plaintext);

 private:
  ModelSealer(HpkeContext context, ByteVector preface, std::uint64_t left)
      : context_(std::move(context)), preface_(std::move(preface)), left_(left) {}

  HpkeContext context_;
  ByteVector preface_;
  std::uint64_t left_;
};

/// A sealed model's preface as it was received: well-formed, and nothing in it true until `open`
/// has succeeded.
class SealedModel {
 public:
  /// Reads the preface of `file`, whose chunks may be yet to come. Fails: `corrupt`; `unsupported`
  /// for another format.
  static Result<SealedModel> read(Bytes file);

  const SealedHeader& header() const noexcept { return header_; }
  /// SHA-256 of the preface: the name under which this file is admitted once.
  const Sha256Digest& id() const noexcept { return id_; }
  /// Bytes of the whole file.
  std::uint64_t file_size() const noexcept;

  /// Whether `file`, which is all of it, was sealed for `key`: opens the first chunk aside.
  bool is_for(Bytes file, const KemPrivateKey& key) const;
  /// Opens the chunks of `file`, which is all of it, in place: the model file then stands in its
  /// first `header().size` bytes. Fails: `corrupt` for any byte that is not as it was sealed for
  /// `key` (changed, missing, reordered, too many, or sealed for another); `file` is wiped then.
  Status open(MutableBytes file, const KemPrivateKey& key) const;

 private:
  SealedModel() = default;
  SealedHeader header_;
  Sha256Digest id_{};
  KemPublicKey encapsulated_{};
  std::size_t preface_size_ = 0;
};

}  // namespace cloister
