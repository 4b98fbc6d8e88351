// Property: whatever the bytes, reading them is bounded; a catalogue that encodes at all reads
// again as what was encoded, as a whole and after a change, and answers the same.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "vault/catalogue.h"
#include "vault/store_keys.h"

namespace cloister {
namespace {

// Entries may overlap in bytes that no server wrote: what they say in all is bounded here.
constexpr std::size_t kSaidMax = 1U << 20;

/// `bytes` where an opened catalogue has them.
struct Opened {
  explicit Opened(Bytes content)
      : memory(PrivateMemory::reserve(std::max<std::size_t>(1, content.size())).value()),
        bytes(memory.bytes().first(content.size())) {
    std::ranges::copy(content, memory.bytes().begin());
  }
  PrivateMemory memory;
  Bytes bytes;
};

Result<Catalogue> from(Bytes content) {
  Opened opened(content);
  return Catalogue::from_image(std::move(opened.memory), opened.bytes);
}

Status apply(Bytes content, Catalogue& catalogue) {
  Opened opened(content);
  return catalogue.apply_image(std::move(opened.memory), opened.bytes);
}

bool says_little(Bytes input) {
  Opened opened(input);
  const auto image = CatalogueImage::open(std::move(opened.memory), opened.bytes);
  if (!image.ok()) return true;
  std::size_t said = 0;
  for (std::size_t kind = 0; kind < CatalogueImage::kKinds; ++kind) {
    const auto which = static_cast<CatalogueImage::Kind>(kind);
    for (std::size_t i = 0; i < image.value().count(which) && said <= kSaidMax; ++i) {
      const auto entry = image.value().entry(which, i);
      if (entry.ok()) said += entry.value().said.size() + entry.value().secret.size();
    }
  }
  return said <= kSaidMax;
}

void ask(const Catalogue& catalogue) {
  const auto versions = catalogue.versions();
  (void)catalogue.files().ok();
  (void)catalogue.record("principals").size();
  if (!versions.ok()) return;
  for (const VersionRecord& record : versions.value()) {
    (void)catalogue.find(record.ref).ok();
    (void)catalogue.newest(record.ref.model).ok();
    (void)catalogue.is_erased(record.ref).ok();
  }
}

void check(const Catalogue& catalogue) {
  ask(catalogue);
  const auto encoded = catalogue.encode_whole();
  if (!encoded.ok()) return;
  const auto again = from(StoreKeys::read(encoded.value()));
  CLOISTER_CHECK(again.ok());
  const auto twice = again.value().encode_whole();
  CLOISTER_CHECK(twice.ok());
  CLOISTER_CHECK(std::ranges::equal(StoreKeys::read(twice.value()),
                                    StoreKeys::read(encoded.value())));
}

}  // namespace
}  // namespace cloister

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const Bytes input = std::as_bytes(std::span(data, size));
  if (!says_little(input)) return 0;
  auto whole = from(input);
  if (whole.ok()) {
    check(whole.value());
    if (apply(input, whole.value()).ok()) check(whole.value());
  }
  Catalogue changed;
  if (apply(input, changed).ok()) check(changed);
  return 0;
}
