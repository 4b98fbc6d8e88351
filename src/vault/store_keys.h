#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "base/entropy.h"
#include "crypto/aead.h"
#include "crypto/hkdf.h"
#include "vault/format.h"

namespace cloister {

/// Seals and opens what is small, each time under a key of its own; and the only class of the
/// vault that may look at secret bytes. Source: docs/store-format.md, "Keys".
class StoreKeys {
 public:
  /// `aeads` must outlive this. `store_key`: 32 bytes.
  StoreKeys(const AeadMaker& aeads, SecretBytes store_key) noexcept
      : aeads_(&aeads), store_key_(std::move(store_key)) {}

  /// The catalogue's key. `anchor_secret` is what the anchor adds to it; empty for none.
  Result<SecretBytes> catalogue_key(const SecretBytes& anchor_secret) const;
  /// What the store's anchor is bound with.
  Result<SecretBytes> anchor_key() const;
  /// What every log is sealed under.
  Result<SecretBytes> log_key() const;
  /// The key of one written segment, from its file's seed in `entry`.
  Result<SecretBytes> segment_key(const VersionEntry& entry, Segment segment) const;
  /// What the keys of a segment's chunks are made from.
  Result<HkdfKey> chunk_keys(const VersionEntry& entry, Segment segment) const;
  /// The cipher of one chunk: its key depends on the chunk's place and on its plaintext.
  Result<std::unique_ptr<Aead>> chunk_cipher(const HkdfKey& chunk_keys, std::uint32_t index,
                                             bool last, const Sha256Digest& leaf) const;
  const AeadMaker& aeads() const noexcept { return *aeads_; }

  /// `count` fresh random bytes. Fails: `io`.
  static Result<SecretBytes> fresh(Entropy& entropy, std::size_t count);
  /// Seals `plaintext` under a key derived from `parent` (32 bytes), from fresh randomness and
  /// from the plaintext itself: repeated randomness never puts another plaintext under the same
  /// key. `label` says what it is; `header` is bound to it and not stored. Returns seed,
  /// ciphertext, and the tag of each piece. Fails: `io` (no randomness), `internal`.
  static Result<ByteVector> seal(const AeadMaker& aeads, Entropy& entropy,
                                 const SecretBytes& parent, std::string_view label, Bytes header,
                                 const SecretBytes& plaintext);
  /// Fails: `corrupt` for another parent, label or header, or any changed byte.
  static Result<SecretBytes> open(const AeadMaker& aeads, const SecretBytes& parent,
                                  std::string_view label, Bytes header, Bytes sealed);
  /// Brings a seal's bytes from `offset` on to where they are opened; from several threads.
  using Fetch = std::function<Status(std::size_t offset, MutableBytes destination)>;
  /// The same in place and by `threads` threads: each piece is fetched and then opened. Of `sealed`
  /// the seed and the tags are there already. Returns the plaintext, a part of `sealed`, which may
  /// not be used after a failure. Fails: `corrupt` as `open`; else as `fetch` does.
  static Result<Bytes> open_in_place(const AeadMaker& aeads, const SecretBytes& parent,
                                     std::string_view label, Bytes header, MutableBytes sealed,
                                     unsigned threads, const Fetch& fetch);
  /// What a seal is cut into, each piece with a tag of its own; the last may be shorter.
  static constexpr std::size_t kPieceBytes = 256U << 10;
  /// What `seal` adds to one piece: a seed in front and a tag behind.
  static constexpr std::size_t kOverhead = kSeedBytes + kAeadTagBytes;
  /// How many of a seal's `sealed_bytes`, at least kOverhead, are tags: its last.
  static constexpr std::size_t tag_bytes(std::size_t sealed_bytes) noexcept {
    const std::size_t rest = sealed_bytes - kSeedBytes;
    constexpr std::size_t kWhole = kPieceBytes + kAeadTagBytes;
    return (rest + kWhole - 1) / kWhole * kAeadTagBytes;
  }

  /// How the vault reads an opened catalogue or table, and writes one before it is sealed.
  static Bytes read(const SecretBytes& secret) noexcept { return secret.reveal(RevealToken()); }
  static MutableBytes write(SecretBytes& secret) noexcept { return secret.fill(RevealToken()); }

 private:
  const AeadMaker* aeads_;
  SecretBytes store_key_;
};

/// A chunk's nonce, and what is bound to it beside its bytes: docs/store-format.md, "Chunks".
AeadNonce chunk_nonce(std::uint32_t index) noexcept;
std::array<std::byte, 22> chunk_associated(const FileId& file, Segment segment,
                                           std::uint32_t index, bool last) noexcept;

}  // namespace cloister
