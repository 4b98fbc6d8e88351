#include "vault/store_keys.h"

#include <algorithm>
#include <string>

#include "base/byte_writer.h"
#include "vault/parallel.h"

namespace cloister {
namespace {

constexpr std::string_view kSegmentLabel = "cloister vault 1 segment";
constexpr std::string_view kChunkLabel = "cloister vault 1 chunk";
constexpr std::string_view kAnchorLabel = "cloister vault 1 anchor key";
constexpr std::string_view kLogLabel = "cloister vault 1 log key";
constexpr std::string_view kCatalogueLabel = "cloister vault 1 catalogue key";

ByteVector info_of(std::string_view label, std::string_view purpose, Bytes header) {
  ByteWriter writer;
  writer.bytes(bytes_of(label));
  writer.bytes(bytes_of(purpose));
  writer.bytes(sha256(header));
  return std::move(writer).take();
}

constexpr std::size_t piece_count(std::size_t plaintext_bytes) noexcept {
  constexpr std::size_t kPiece = StoreKeys::kPieceBytes;
  return std::max<std::size_t>(1, (plaintext_bytes + kPiece - 1) / kPiece);
}

template <class Byte>
std::span<Byte> piece_of(std::span<Byte> all, std::size_t index) noexcept {
  const std::size_t at = index * StoreKeys::kPieceBytes;
  return all.subspan(at, std::min(StoreKeys::kPieceBytes, all.size() - at));
}

/// The count keeps pieces from being left out at the end; 0 for the one piece of what is small.
AeadNonce piece_nonce(std::size_t index, std::size_t count) noexcept {
  AeadNonce nonce{};
  for (unsigned i = 0; i < 4; ++i) {
    nonce[i] = static_cast<std::byte>(index >> (8 * i));
    nonce[4 + i] = static_cast<std::byte>((count - 1) >> (8 * i));
  }
  return nonce;
}

/// A seal whose pieces are to be opened, in any order and by any thread. Views `header` and the
/// seal's tags.
class SealOpening {
 public:
  static Result<SealOpening> begin(const AeadMaker& aeads, const SecretBytes& parent,
                                   std::string_view label, Bytes header, Bytes sealed) {
    if (sealed.size() < StoreKeys::kOverhead) return Error{Code::corrupt, "vault.sealed.size"};
    SealOpening opening;
    opening.header_ = header;
    opening.tags_ = sealed.last(StoreKeys::tag_bytes(sealed.size()));
    opening.plaintext_bytes_ = sealed.size() - kSeedBytes - opening.tags_.size();
    if (piece_count(opening.plaintext_bytes_) != opening.pieces()) {
      return Error{Code::corrupt, "vault.sealed.size"};
    }
    const SecretBytes seed(copy_of(sealed.first(kSeedBytes)));
    CLOISTER_ASSIGN(const SecretBytes key,
                    hkdf_sha256(seed, parent, info_of(label, " key", header), kAeadKeyBytes));
    CLOISTER_ASSIGN(opening.aead_, aeads.make(key));
    return opening;
  }

  std::size_t pieces() const noexcept { return tags_.size() / kAeadTagBytes; }
  std::size_t plaintext_bytes() const noexcept { return plaintext_bytes_; }
  Status open(std::size_t index, Bytes ciphertext, MutableBytes plaintext) const {
    AeadTag tag{};
    std::ranges::copy(tags_.subspan(index * kAeadTagBytes, kAeadTagBytes), tag.begin());
    return aead_->open(piece_nonce(index, pieces()), header_, ciphertext, tag, plaintext);
  }

 private:
  std::unique_ptr<Aead> aead_;
  Bytes header_;
  Bytes tags_;
  std::size_t plaintext_bytes_ = 0;
};

}  // namespace

Result<SecretBytes> StoreKeys::fresh(Entropy& entropy, std::size_t count) {
  SecretBytes bytes(count);
  CLOISTER_TRY(entropy.fill(write(bytes)));
  return bytes;
}

Result<SecretBytes> StoreKeys::catalogue_key(const SecretBytes& anchor_secret) const {
  return hkdf_sha256(store_key_, read(anchor_secret), bytes_of(kCatalogueLabel), kAeadKeyBytes);
}

Result<SecretBytes> StoreKeys::anchor_key() const {
  return hkdf_sha256(store_key_, Bytes(), bytes_of(kAnchorLabel), kAeadKeyBytes);
}

Result<SecretBytes> StoreKeys::log_key() const {
  return hkdf_sha256(store_key_, Bytes(), bytes_of(kLogLabel), kAeadKeyBytes);
}

Result<SecretBytes> StoreKeys::segment_key(const VersionEntry& entry, Segment segment) const {
  ByteWriter info;
  info.bytes(bytes_of(kSegmentLabel));
  info.bytes(entry.file);
  info.u8(static_cast<std::uint8_t>(segment));
  info.bytes(entry.build);
  info.bytes(entry.record.sha256);
  info.u64_le(entry.graph_bytes);
  info.u64_le(entry.weights_bytes);
  return hkdf_sha256(entry.seed, store_key_, info.view(), kAeadKeyBytes);
}

Result<HkdfKey> StoreKeys::chunk_keys(const VersionEntry& entry, Segment segment) const {
  CLOISTER_ASSIGN(const SecretBytes key, segment_key(entry, segment));
  return HkdfKey::extract(key, Bytes());
}

Result<std::unique_ptr<Aead>> StoreKeys::chunk_cipher(const HkdfKey& chunk_keys,
                                                      std::uint32_t index, bool last,
                                                      const Sha256Digest& leaf) const {
  ByteWriter info;
  info.bytes(bytes_of(kChunkLabel));
  info.u32_le(index);
  info.u8(last ? 1 : 0);
  info.bytes(leaf);
  CLOISTER_ASSIGN(const SecretBytes key, chunk_keys.expand(info.view(), kAeadKeyBytes));
  return aeads_->make(key);
}

Result<ByteVector> StoreKeys::seal(const AeadMaker& aeads, Entropy& entropy,
                                   const SecretBytes& parent, std::string_view label,
                                   Bytes header, const SecretBytes& plaintext) {
  SecretBytes input(kSeedBytes + sizeof(Sha256Digest));
  CLOISTER_TRY(entropy.fill(write(input).first(kSeedBytes)));
  std::ranges::copy(sha256(read(plaintext)), write(input).begin() + kSeedBytes);
  CLOISTER_ASSIGN(const SecretBytes seed,
                  hkdf_sha256(input, parent, info_of(label, " seed", header), kSeedBytes));
  CLOISTER_ASSIGN(const SecretBytes key,
                  hkdf_sha256(seed, parent, info_of(label, " key", header), kAeadKeyBytes));
  CLOISTER_ASSIGN(const auto aead, aeads.make(key));
  const std::size_t pieces = piece_count(plaintext.size());
  ByteVector sealed(kSeedBytes + plaintext.size() + pieces * kAeadTagBytes);
  const MutableBytes whole = sealed;
  std::ranges::copy(read(seed), whole.begin());
  auto tags = whole.last(pieces * kAeadTagBytes).begin();
  for (std::size_t i = 0; i < pieces; ++i) {
    const Bytes piece = piece_of(read(plaintext), i);
    CLOISTER_ASSIGN(const AeadTag tag,
                    aead->seal(piece_nonce(i, pieces), header, piece,
                               whole.subspan(kSeedBytes + i * kPieceBytes, piece.size())));
    tags = std::ranges::copy(tag, tags).out;
  }
  return sealed;
}

Result<SecretBytes> StoreKeys::open(const AeadMaker& aeads, const SecretBytes& parent,
                                    std::string_view label, Bytes header, Bytes sealed) {
  CLOISTER_ASSIGN(const SealOpening opening,
                  SealOpening::begin(aeads, parent, label, header, sealed));
  const Bytes ciphertext = sealed.subspan(kSeedBytes, opening.plaintext_bytes());
  SecretBytes plaintext(ciphertext.size());
  for (std::size_t i = 0; i < opening.pieces(); ++i) {
    CLOISTER_TRY(opening.open(i, piece_of(ciphertext, i), piece_of(write(plaintext), i)));
  }
  return plaintext;
}

Result<Bytes> StoreKeys::open_in_place(const AeadMaker& aeads, const SecretBytes& parent,
                                       std::string_view label, Bytes header, MutableBytes sealed,
                                       unsigned threads, const Fetch& fetch) {
  CLOISTER_ASSIGN(const SealOpening opening,
                  SealOpening::begin(aeads, parent, label, header, sealed));
  const MutableBytes plaintext = sealed.subspan(kSeedBytes, opening.plaintext_bytes());
  const auto open_piece = [&](std::uint64_t index, unsigned) -> Status {
    const MutableBytes piece = piece_of(plaintext, index);
    CLOISTER_TRY(fetch(kSeedBytes + index * kPieceBytes, piece));
    return opening.open(index, piece, piece);
  };
  CLOISTER_TRY(for_each_in_parallel(opening.pieces(), threads, open_piece));
  return Bytes(plaintext);
}

AeadNonce chunk_nonce(std::uint32_t index) noexcept {
  AeadNonce nonce{};
  for (unsigned i = 0; i < 4; ++i) nonce[i] = static_cast<std::byte>(index >> (8 * i));
  return nonce;
}

std::array<std::byte, 22> chunk_associated(const FileId& file, Segment segment,
                                           std::uint32_t index, bool last) noexcept {
  std::array<std::byte, 22> bytes{};
  std::ranges::copy(file, bytes.begin());
  bytes[16] = static_cast<std::byte>(segment);
  for (unsigned i = 0; i < 4; ++i) bytes[17 + i] = static_cast<std::byte>(index >> (8 * i));
  bytes[21] = static_cast<std::byte>(last ? 1 : 0);
  return bytes;
}

}  // namespace cloister
