#include "vault/store_file.h"

#include <algorithm>

#include "base/byte_writer.h"

namespace cloister {
namespace {

constexpr std::string_view kMagic = "CLOISTS1";
constexpr std::string_view kLabel = "cloister vault 1 store key";
constexpr const char* kAside = "store.new";
constexpr std::size_t kHeaderBytes = 64;
constexpr std::size_t kStoreBytes = kHeaderBytes + StoreKeys::kOverhead + kAeadKeyBytes;

ByteVector encode_header(const StoreIdentity& identity) {
  ByteWriter writer;
  writer.bytes(bytes_of(kMagic));
  writer.u64_le(static_cast<std::uint64_t>(identity.anchor));
  writer.bytes(identity.id);
  writer.bytes(identity.upgrade_policy);
  return std::move(writer).take();
}

Result<StoreIdentity> decode_header(Bytes bytes) {
  ByteReader reader(bytes);
  StoreIdentity identity;
  CLOISTER_ASSIGN(const Bytes magic, reader.take(kMagic.size()));
  CLOISTER_ASSIGN(const std::uint64_t anchor, reader.u64_le());
  CLOISTER_ASSIGN(const Bytes id, reader.take(identity.id.size()));
  CLOISTER_ASSIGN(const Bytes policy, reader.take(identity.upgrade_policy.size()));
  if (text_of(magic) != kMagic || anchor > static_cast<std::uint64_t>(AnchorKind::etcd)) {
    return Error{Code::corrupt, "vault.store.header",
                 Detail("the store's file `store` is damaged")};
  }
  identity.anchor = static_cast<AnchorKind>(anchor);
  std::ranges::copy(id, identity.id.begin());
  std::ranges::copy(policy, identity.upgrade_policy.begin());
  return identity;
}

/// The file `store`, of the right length. Fails: `not_found`, `corrupt`, `io`.
Result<ByteVector> read_content(Files& files) {
  auto opened = files.open_for_reading(kStorePath);
  if (!opened.ok() && opened.error().code == Code::corrupt) {
    return Error{Code::corrupt, "vault.store.kind", Detail("the store's file `store` is no file")};
  }
  CLOISTER_ASSIGN(const auto file, std::move(opened));
  CLOISTER_ASSIGN(const std::uint64_t size, file->size());
  if (size != kStoreBytes) {
    return Error{Code::corrupt, "vault.store.size", Detail("the store's file `store` is damaged")};
  }
  ByteVector content(size);
  CLOISTER_TRY(file->read_at(0, content));
  return content;
}

SecretBytes copy_of_key(const SecretBytes& key) {
  return SecretBytes(copy_of(StoreKeys::read(key)));
}

}  // namespace

Result<StoreIdentity> make_identity(Entropy& entropy, AnchorKind anchor,
                                    const Sha256Digest& upgrade_policy) {
  StoreIdentity identity;
  identity.anchor = anchor;
  identity.upgrade_policy = upgrade_policy;
  CLOISTER_TRY(entropy.fill(identity.id));
  CLOISTER_ASSIGN(identity.store_key, StoreKeys::fresh(entropy, kAeadKeyBytes));
  return identity;
}

Status write_identity(Files& files, Entropy& entropy, const AeadMaker& aeads,
                      const SecretBytes& root_secret, const StoreIdentity& identity) {
  if (root_secret.size() != kAeadKeyBytes) return Error{Code::invalid, "vault.store.root_secret"};
  const ByteVector header = encode_header(identity);
  CLOISTER_ASSIGN(const ByteVector sealed,
                  StoreKeys::seal(aeads, entropy, root_secret, kLabel, header,
                                  copy_of_key(identity.store_key)));
  ByteWriter content;
  content.bytes(header);
  content.bytes(sealed);
  const Status swept = files.remove(kAside);
  if (!swept.ok() && swept.error().code != Code::not_found) return swept;
  {
    CLOISTER_ASSIGN(const auto file, files.create(kAside));
    CLOISTER_TRY(file->write_at(0, content.view()));
    CLOISTER_TRY(file->sync());
  }
  CLOISTER_TRY(files.rename(kAside, kStorePath));
  return files.sync_folder("");
}

Result<StoreIdentity> read_identity(Files& files, const AeadMaker& aeads,
                                    const SecretBytes& root_secret) {
  if (root_secret.size() != kAeadKeyBytes) return Error{Code::invalid, "vault.store.root_secret"};
  CLOISTER_ASSIGN(const ByteVector content, read_content(files));
  const Bytes header = Bytes(content).first(kHeaderBytes);
  CLOISTER_ASSIGN(StoreIdentity identity, decode_header(header));
  auto key = StoreKeys::open(aeads, root_secret, kLabel, header,
                             Bytes(content).subspan(kHeaderBytes));
  if (!key.ok()) {
    return Error{Code::corrupt, "vault.store.key",
                 Detail("the file `store` is damaged, or this platform identity did not make it")};
  }
  identity.store_key = std::move(key).value();
  return identity;
}

SecretBytes encode_identity(const StoreIdentity& identity) {
  SecretBytes encoded(kHeaderBytes + kAeadKeyBytes);
  const auto key = std::ranges::copy(encode_header(identity), StoreKeys::write(encoded).begin());
  std::ranges::copy(StoreKeys::read(identity.store_key), key.out);
  return encoded;
}

Result<StoreIdentity> decode_identity(const SecretBytes& encoded) {
  const Bytes bytes = StoreKeys::read(encoded);
  if (bytes.size() != kHeaderBytes + kAeadKeyBytes) {
    return Error{Code::corrupt, "vault.store.handed_over"};
  }
  CLOISTER_ASSIGN(StoreIdentity identity, decode_header(bytes.first(kHeaderBytes)));
  identity.store_key = SecretBytes(copy_of(bytes.subspan(kHeaderBytes)));
  return identity;
}

Status check_header(Files& files, const StoreIdentity& identity) {
  CLOISTER_ASSIGN(const ByteVector content, read_content(files));
  if (std::ranges::equal(Bytes(content).first(kHeaderBytes), encode_header(identity))) {
    return Done{};
  }
  return Error{Code::corrupt, "vault.store.other",
               Detail("what was handed over belongs to another store")};
}

}  // namespace cloister
