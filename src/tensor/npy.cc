#include "tensor/npy.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <system_error>
#include <vector>

#include "base/byte_reader.h"
#include "base/limits.h"

namespace cloister {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kHeaderAlignment = 64;

Error invalid(const char* why) {
  return Error{Code::invalid, "npy.header", Detail(std::string("npy: ") + why)};
}

/// What the header's dictionary says, as text.
struct HeaderFields {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
};

/// Reads the header: a Python dictionary literal with exactly three known keys.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) noexcept : text_(text) {}

  Result<HeaderFields> read() {
    HeaderFields fields;
    if (!accept('{')) return invalid("the header is no dictionary");
    while (!accept('}')) {
      CLOISTER_ASSIGN(const std::string key, string());
      if (!accept(':')) return invalid("the header is malformed");
      CLOISTER_TRY(read_field(key, fields));
      if (!accept(',') && peek() != '}') return invalid("the header is malformed");
    }
    peek();
    if (!text_.empty()) return invalid("something follows the header's dictionary");
    if (keys_.size() != 3) {
      return invalid("the header lacks descr, fortran_order or shape");
    }
    return fields;
  }

 private:
  char peek() noexcept {
    const std::size_t blanks = std::min(text_.find_first_not_of(" \n\t"), text_.size());
    text_.remove_prefix(blanks);
    return text_.empty() ? '\0' : text_.front();
  }
  bool accept(char expected) noexcept {
    if (peek() != expected || text_.empty()) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool accept_word(std::string_view word) noexcept {
    peek();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }

  Status read_field(const std::string& key, HeaderFields& fields) {
    if (!keys_.insert(key).second) return invalid("the header repeats a key");
    if (key == "descr") {
      if (peek() == '[') {
        return Error{Code::unsupported, "npy.structure",
                     Detail("npy: structured arrays are not served; save one field")};
      }
      CLOISTER_ASSIGN(fields.descr, string());
    } else if (key == "fortran_order") {
      fields.fortran_order = accept_word("True");
      if (!fields.fortran_order && !accept_word("False")) return invalid("bad fortran_order");
    } else if (key == "shape") {
      CLOISTER_ASSIGN(fields.shape, shape());
    } else {
      return invalid("the header has an unknown key");
    }
    return Done{};
  }

  Result<std::string> string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return invalid("the header is malformed");
    const std::size_t end = text_.find(quote, 1);
    if (end == std::string_view::npos) return invalid("the header is malformed");
    std::string found(text_.substr(1, end - 1));
    if (found.find_first_of("\\\n") != std::string::npos) return invalid("escapes in the header");
    text_.remove_prefix(end + 1);
    return found;
  }

  Result<Shape> shape() {
    Shape extents;
    if (!accept('(')) return invalid("the shape is no tuple");
    while (!accept(')')) {
      peek();
      std::uint64_t extent = 0;
      const auto parsed = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
      if (parsed.ec != std::errc{}) return invalid("the shape is malformed");
      text_.remove_prefix(static_cast<std::size_t>(parsed.ptr - text_.data()));
      extents.push_back(extent);
      if (extents.size() > kRankMax) return Error{Code::too_large, "npy.rank"};
      const bool comma = accept(',');
      if (!comma && (peek() != ')' || extents.size() == 1)) {
        return invalid("the shape is malformed");
      }
    }
    return extents;
  }

  std::string_view text_;
  std::set<std::string> keys_;
};

struct NumericKind {
  char kind;
  std::uint64_t bytes;
  DType type;
};
constexpr NumericKind kNumericKinds[] = {
    {'b', 1, DType::boolean}, {'u', 1, DType::u8},  {'u', 2, DType::u16}, {'u', 4, DType::u32},
    {'u', 8, DType::u64},     {'i', 1, DType::i8},  {'i', 2, DType::i16}, {'i', 4, DType::i32},
    {'i', 8, DType::i64},     {'f', 2, DType::f16}, {'f', 4, DType::f32}, {'f', 8, DType::f64},
};

Error unsupported_kind(char kind, std::uint64_t size) {
  if (kind == 'O') {
    return Error{Code::unsupported, "npy.object",
                 Detail("npy: object arrays hold pickled Python objects and are never read; "
                        "save numbers or strings (dtype S or U)")};
  }
  if (kind == 'V' && size == 2) {
    return Error{Code::unsupported, "npy.bfloat16",
                 Detail("npy: a 2-byte void dtype looks like bfloat16, which npy does not name; "
                        "send BF16 as JSON or as a binary tensor")};
  }
  return Error{Code::unsupported, "npy.dtype",
               Detail("npy: this dtype is not served; save bool, integers, float16, float32, "
                      "float64, or strings (S or U)")};
}

/// Takes `<f4` and the like apart.
Status read_descr(std::string_view descr, NpyArray& array) {
  if (descr.size() < 2) return invalid("bad descr");
  const char order = descr[0];
  const char kind = descr[1];
  if (order != '<' && order != '>' && order != '|') return invalid("bad descr");
  std::uint64_t size = 0;
  const std::string_view digits = descr.substr(2);
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  const bool is_sized = !digits.empty() && parsed.ec == std::errc{} &&
                        parsed.ptr == digits.data() + digits.size();
  if (!is_sized) return kind == 'O' ? unsupported_kind(kind, 0) : invalid("bad descr");
  array.big_endian = order == '>';
  if (kind == 'S' || kind == 'U') {
    if (size == 0 || size > kTensorBytesMax / 4) return invalid("bad string length in descr");
    array.type = DType::bytes;
    array.kind = kind == 'S' ? NpyKind::byte_string : NpyKind::utf32_string;
    array.item_bytes = kind == 'S' ? size : size * 4;
    if (kind == 'U' && order == '|') return invalid("bad descr");
    return Done{};
  }
  for (const NumericKind& each : kNumericKinds) {
    if (each.kind != kind || each.bytes != size) continue;
    if (order == '|' && size > 1) return invalid("bad descr");
    array.type = each.type;
    array.item_bytes = size;
    array.big_endian = array.big_endian && size > 1;
    return Done{};
  }
  return unsupported_kind(kind, size);
}

Result<std::string_view> read_header_text(ByteReader& reader) {
  const Result<Bytes> magic = reader.take(kMagic.size());
  if (!magic.ok() || text_of(magic.value()) != kMagic) return invalid("this is no npy file");
  const Result<std::uint8_t> major = reader.u8();
  const Result<std::uint8_t> minor = reader.u8();
  if (!major.ok() || !minor.ok()) return invalid("the file ends in its header");
  if (major.value() < 1 || major.value() > 3 || minor.value() != 0) {
    return Error{Code::unsupported, "npy.version", Detail("npy: only versions 1 to 3 are served")};
  }
  std::size_t length = 0;
  if (major.value() == 1) {
    const Result<std::uint16_t> field = reader.u16_le();
    if (!field.ok()) return invalid("the file ends in its header");
    length = field.value();
  } else {
    const Result<std::uint32_t> field = reader.u32_le();
    if (!field.ok()) return invalid("the file ends in its header");
    length = field.value();
  }
  if (length > kNpyHeaderMax) return Error{Code::too_large, "npy.header_bytes"};
  const Result<Bytes> text = reader.take(length);
  if (!text.ok()) return invalid("the file ends in its header");
  return text_of(text.value());
}

bool order_matters(const Shape& shape) {
  return std::count_if(shape.begin(), shape.end(), [](auto extent) { return extent > 1; }) > 1;
}

std::uint64_t conversion_bytes(const NpyArray& array, std::uint64_t count) {
  const std::uint64_t data_bytes = count * array.item_bytes;
  if (array.kind != NpyKind::numeric) return data_bytes + 4 * count;
  return array.big_endian || array.fortran_order ? data_bytes : 0;
}

}  // namespace

Result<NpyArray> read_npy(Bytes file) {
  ByteReader reader(file);
  CLOISTER_ASSIGN(const std::string_view header, read_header_text(reader));
  CLOISTER_ASSIGN(HeaderFields fields, HeaderReader(header).read());
  NpyArray array;
  CLOISTER_TRY(read_descr(fields.descr, array));
  array.shape = std::move(fields.shape);
  array.fortran_order = fields.fortran_order && order_matters(array.shape);
  CLOISTER_ASSIGN(const std::uint64_t count, element_count(array.shape));
  CLOISTER_ASSIGN(const std::uint64_t expected, checked_multiply(count, array.item_bytes));
  if (expected != reader.remaining()) {
    return Error{Code::invalid, "npy.size",
                 Detail("npy: the shape asks for " + std::to_string(expected) +
                        " bytes of data, the file has " + std::to_string(reader.remaining()))};
  }
  array.data = reader.rest();
  array.conversion_bytes = conversion_bytes(array, count);
  return array;
}

Result<NpyLayout> npy_layout(const TensorView& tensor) {
  NpyLayout layout;
  layout.data_bytes = tensor.data.size();
  std::string descr;
  if (tensor.type == DType::bf16) {
    return Error{Code::unsupported, "npy.bfloat16",
                 Detail("npy has no bfloat16; ask for JSON or binary data")};
  }
  if (tensor.type == DType::bytes) {
    CLOISTER_ASSIGN(const std::uint64_t count, element_count(tensor.shape));
    CLOISTER_ASSIGN(const auto elements, bytes_elements(tensor.data, count));
    layout.item_bytes = 1;
    for (const Bytes element : elements) {
      if (!element.empty() && element.back() == std::byte{0}) {
        return Error{Code::unsupported, "npy.bytes_nul",
                     Detail("npy cannot hold an element that ends in NUL; ask for binary data")};
      }
      layout.item_bytes = std::max<std::uint64_t>(layout.item_bytes, element.size());
    }
    CLOISTER_ASSIGN(layout.data_bytes, checked_multiply(layout.item_bytes, count));
    if (layout.data_bytes > kTensorBytesMax) return Error{Code::too_large, "npy.bytes"};
    descr = "|S" + std::to_string(layout.item_bytes);
  } else {
    for (const NumericKind& each : kNumericKinds) {
      if (each.type != tensor.type) continue;
      descr = {each.bytes == 1 ? '|' : '<', each.kind};
      descr += std::to_string(each.bytes);
    }
  }
  std::string text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (";
  for (const std::uint64_t extent : tensor.shape) text += std::to_string(extent) + ", ";
  text += "), }";
  // Version 1.0: magic (6), version (2), length (2), text, blanks and a line's end.
  const std::size_t unpadded = kMagic.size() + 4 + text.size() + 1;
  text.append((kHeaderAlignment - unpadded % kHeaderAlignment) % kHeaderAlignment, ' ');
  text += '\n';
  layout.header = kMagic;
  layout.header += {'\x01', '\0', static_cast<char>(text.size() & 0xFF),
                    static_cast<char>(text.size() >> 8)};
  layout.header += text;
  return layout;
}

void npy_fill_items(const TensorView& tensor, const NpyLayout& layout, MutableBytes items) {
  CLOISTER_CHECK(layout.item_bytes > 0 && items.size() == layout.data_bytes);
  const std::uint64_t count = element_count(tensor.shape).value();
  const std::vector<Bytes> elements = bytes_elements(tensor.data, count).value();
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const MutableBytes item = items.subspan(i * layout.item_bytes, layout.item_bytes);
    const auto padding = std::copy(elements[i].begin(), elements[i].end(), item.begin());
    std::fill(padding, item.end(), std::byte{0});
  }
}

}  // namespace cloister
