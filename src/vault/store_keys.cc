#include "vault/store_keys.h"

#include <algorithm>
#include <string>

#include "base/byte_writer.h"

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
  const auto at = static_cast<std::size_t>(segment) * kSeedBytes;
  SecretBytes seed(kSeedBytes);
  std::ranges::copy(read(entry.seeds).subspan(at, kSeedBytes), write(seed).begin());
  ByteWriter info;
  info.bytes(bytes_of(kSegmentLabel));
  info.bytes(entry.file);
  info.u8(static_cast<std::uint8_t>(segment));
  info.bytes(entry.build);
  info.bytes(entry.record.sha256);
  info.u64_le(entry.graph.bytes);
  info.u64_le(entry.weights.bytes);
  return hkdf_sha256(seed, store_key_, info.view(), kAeadKeyBytes);
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
  ByteVector sealed(plaintext.size() + kOverhead);
  const MutableBytes whole = sealed;
  std::ranges::copy(read(seed), whole.begin());
  CLOISTER_ASSIGN(const AeadTag tag,
                  aead->seal(AeadNonce{}, header, read(plaintext),
                             whole.subspan(kSeedBytes, plaintext.size())));
  std::ranges::copy(tag, whole.last(kAeadTagBytes).begin());
  return sealed;
}

Result<SecretBytes> StoreKeys::open(const AeadMaker& aeads, const SecretBytes& parent,
                                    std::string_view label, Bytes header, Bytes sealed) {
  if (sealed.size() < kOverhead) return Error{Code::corrupt, "vault.sealed.size"};
  const SecretBytes seed(copy_of(sealed.first(kSeedBytes)));
  CLOISTER_ASSIGN(const SecretBytes key,
                  hkdf_sha256(seed, parent, info_of(label, " key", header), kAeadKeyBytes));
  CLOISTER_ASSIGN(const auto aead, aeads.make(key));
  AeadTag tag{};
  std::ranges::copy(sealed.last(kAeadTagBytes), tag.begin());
  SecretBytes plaintext(sealed.size() - kOverhead);
  CLOISTER_TRY(aead->open(AeadNonce{}, header,
                          sealed.subspan(kSeedBytes, plaintext.size()), tag, write(plaintext)));
  return plaintext;
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
