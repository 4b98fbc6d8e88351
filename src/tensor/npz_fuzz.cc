// Property: members that are accepted yield exactly their size or are refused, within the bound on
// what may be inflated, and the same members written again read back the same.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "tensor/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  constexpr std::uint64_t kInflatedMax = 1U << 20;
  const auto members = read_npz(std::as_bytes(std::span(data, size)), kInflatedMax);
  if (!members.ok()) return 0;
  std::vector<std::vector<std::byte>> contents;
  NpzWriter writer;
  for (const NpzMember& member : members.value()) {
    std::vector<std::byte> memory(member.is_deflated ? member.bytes : 0);
    const Result<Bytes> content = npz_member_bytes(member, memory);
    if (!content.ok()) return 0;
    CLOISTER_CHECK(content.value().size() == member.bytes);
    contents.push_back(copy_of(content.value()));
    CLOISTER_CHECK(writer.add(member.name, "", contents.back()).ok());
  }
  std::string file;
  const std::vector<Bytes> pieces = writer.finish().value();
  for (const Bytes piece : pieces) file += text_of(piece);
  const auto again = read_npz(bytes_of(file), 0).value();
  CLOISTER_CHECK(again.size() == contents.size());
  for (std::size_t i = 0; i < again.size(); ++i) {
    const Bytes content = npz_member_bytes(again[i], {}).value();
    CLOISTER_CHECK(again[i].name == members.value()[i].name);
    CLOISTER_CHECK(text_of(content) == text_of(Bytes(contents[i])));
  }
  return 0;
}
