#include "graph/onnx/external_data.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/findings.h"

namespace cloister {
namespace {

constexpr std::size_t kWindowBytes = 64U << 10;
constexpr std::size_t kTextBytesMax = 1U << 10;  // of an entry's key or value, or a tensor's name
constexpr std::size_t kDepthMax = 32;            // messages within messages

enum class Kind : std::uint8_t { other, model, graph, node, attribute, tensor, sparse, function };

/// What the length-delimited field `number` of a message holds, as far as tensors can be in it.
Kind kind_of(Kind parent, std::uint64_t number) noexcept {
  struct Child {
    Kind parent;
    std::uint64_t number;
    Kind kind;
  };
  static constexpr Child kChildren[] = {
      {Kind::model, 7, Kind::graph},      {Kind::model, 25, Kind::function},
      {Kind::graph, 1, Kind::node},       {Kind::graph, 5, Kind::tensor},
      {Kind::graph, 15, Kind::sparse},    {Kind::node, 5, Kind::attribute},
      {Kind::attribute, 5, Kind::tensor}, {Kind::attribute, 6, Kind::graph},
      {Kind::attribute, 10, Kind::tensor}, {Kind::attribute, 11, Kind::graph},
      {Kind::attribute, 22, Kind::sparse}, {Kind::attribute, 23, Kind::sparse},
      {Kind::sparse, 1, Kind::tensor},    {Kind::sparse, 2, Kind::tensor},
      {Kind::function, 7, Kind::node},    {Kind::function, 11, Kind::attribute},
  };
  for (const Child& child : kChildren) {
    if (child.parent == parent && child.number == number) return child.kind;
  }
  return Kind::other;
}

Error about(Code code, const std::string& text) {
  return Error{code, "graph.external_data", Detail(text)};
}

/// `corrupt` is kept for bytes that are no ONNX: those are left to admission.
Error not_onnx() { return Error{Code::corrupt, "graph.external_data"}; }

/// A range of a file: of the model (source 0), of a data file, or of bytes made here.
struct Piece {
  static constexpr std::size_t kMade = SIZE_MAX;
  std::size_t source = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::string made{};
};

struct Part {
  std::vector<Piece> pieces;
  std::uint64_t bytes = 0;
  bool changed = false;

  void add(Piece piece) {
    if (piece.bytes == 0) return;
    bytes += piece.bytes;
    pieces.push_back(std::move(piece));
  }
  void add_model(std::uint64_t begin, std::uint64_t end) { add({0, begin, end - begin, {}}); }
  void add_made(std::string text) {
    const std::uint64_t size = text.size();
    add({Piece::kMade, 0, size, std::move(text)});
  }
};

void put_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7f) | 0x80));
  out.push_back(static_cast<char>(value));
}

/// A field's tag and the length of what follows.
std::string header_of(std::uint64_t number, std::uint64_t bytes) {
  std::string out;
  put_number(out, number << 3 | 2);
  put_number(out, bytes);
  return out;
}

/// Reads small things at rising places of a file through one window.
class Window {
 public:
  Window(const File& file, std::uint64_t size) : file_(file), size_(size) {}

  Result<std::uint64_t> number(std::uint64_t& at, std::uint64_t end) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
      CLOISTER_ASSIGN(const auto byte, byte_at(at++));
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return not_onnx();
  }

  Result<std::string> text(std::uint64_t begin, std::uint64_t end) {
    if (end - begin > kTextBytesMax) return not_onnx();
    std::string text(end - begin, '\0');
    for (char& letter : text) {
      CLOISTER_ASSIGN(const auto byte, byte_at(begin++));
      letter = static_cast<char>(byte);
    }
    return text;
  }

 private:
  Result<std::uint8_t> byte_at(std::uint64_t at) {
    if (at < start_ || at - start_ >= held_.size()) {
      held_.resize(std::min<std::uint64_t>(kWindowBytes, size_ - at));
      start_ = at;
      if (!file_.read_at(at, held_).ok()) return about(Code::io, "the model cannot be read");
    }
    return std::to_integer<std::uint8_t>(held_[at - start_]);
  }

  const File& file_;
  std::uint64_t size_;
  std::uint64_t start_ = 0;
  ByteVector held_;
};

/// One field of a message: its whole range, and its content where it has a length.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t wire = 0;
  std::uint64_t scalar = 0;
  std::uint64_t begin = 0;
  std::uint64_t content = 0;
  std::uint64_t end = 0;
};

Result<Field> field_at(Window& window, std::uint64_t at, std::uint64_t end) {
  Field field;
  field.begin = at;
  CLOISTER_ASSIGN(const std::uint64_t tag, window.number(at, end));
  field.number = tag >> 3;
  field.wire = tag & 7;
  std::uint64_t length = 0;
  if (field.wire == 0) {
    CLOISTER_ASSIGN(field.scalar, window.number(at, end));
  } else if (field.wire == 2) {
    CLOISTER_ASSIGN(length, window.number(at, end));
  } else if (field.wire == 1 || field.wire == 5) {
    length = field.wire == 1 ? 8 : 4;
  } else {
    return not_onnx();
  }
  if (length > end - at) return not_onnx();
  field.content = at;
  field.end = at + length;
  return field;
}

/// Where a tensor says that its values are.
struct Outside {
  bool flagged = false;
  bool has_raw = false;
  std::string name;
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  bool readable = true;  ///< the numbers are numbers
};

struct DataFile {
  std::string name;
  std::uint64_t size = 0;
};

/// The model and its data files as one: pieces in order, each with where it begins.
class FoldedFile final : public File {
 public:
  FoldedFile(std::unique_ptr<File> model, std::unique_ptr<Files> folder,
             std::vector<DataFile> data, Part whole)
      : model_(std::move(model)), folder_(std::move(folder)), data_(std::move(data)),
        pieces_(std::move(whole.pieces)), size_(whole.bytes) {
    std::uint64_t start = 0;
    for (const Piece& piece : pieces_) {
      starts_.push_back(start);
      start += piece.bytes;
    }
  }

  Result<std::uint64_t> size() const override { return size_; }

  Status read_at(std::uint64_t offset, MutableBytes destination) const override {
    if (offset > size_ || destination.size() > size_ - offset) {
      return Error{Code::corrupt, "graph.external_data.read"};
    }
    auto at = static_cast<std::size_t>(
        std::upper_bound(starts_.begin(), starts_.end(), offset) - starts_.begin());
    while (!destination.empty()) {
      const Piece& piece = pieces_[at - 1];
      const std::uint64_t inside = offset - starts_[at - 1];
      const MutableBytes part = destination.first(
          std::min<std::uint64_t>(destination.size(), piece.bytes - inside));
      CLOISTER_TRY(read_piece(piece, inside, part));
      destination = destination.subspan(part.size());
      offset += part.size();
      ++at;
    }
    return Done{};
  }

  Status write_at(std::uint64_t, Bytes) override { return read_only(); }
  Status sync() override { return read_only(); }

 private:
  static Error read_only() { return Error{Code::invalid, "graph.external_data.write"}; }

  Status read_piece(const Piece& piece, std::uint64_t inside, MutableBytes part) const {
    if (piece.source == Piece::kMade) {
      const Bytes made = bytes_of(piece.made).subspan(inside, part.size());
      std::copy(made.begin(), made.end(), part.begin());
      return Done{};
    }
    if (piece.source == 0) return model_->read_at(piece.offset + inside, part);
    // Opened for each read: there may be thousands of them.
    const std::string& name = data_[piece.source - 1].name;
    const auto file = folder_->open_for_reading(name);
    const bool read =
        file.ok() && file.value()->read_at(piece.offset + inside, part).ok();
    return read ? Status(Done{}) : about(Code::io, quoted(name) + " changed while it was read");
  }

  std::unique_ptr<File> model_;
  std::unique_ptr<Files> folder_;
  std::vector<DataFile> data_;
  std::vector<Piece> pieces_;
  std::vector<std::uint64_t> starts_;
  std::uint64_t size_;
};

/// Finds the tensors that lie elsewhere, and says what the file is with them inside.
class Folding {
 public:
  Folding(const File& model, std::uint64_t size, Files& folder)
      : window_(model, size), folder_(folder) {}

  Result<Part> message(std::uint64_t begin, std::uint64_t end, Kind kind, std::size_t depth);
  std::uint64_t tensors() const noexcept { return tensors_; }
  std::vector<DataFile> take_data() && { return std::move(data_); }

 private:
  Result<Part> tensor(std::uint64_t begin, std::uint64_t end);
  Result<Outside> outside_of(std::uint64_t begin, std::uint64_t end);
  Status read_entry(Outside& outside, const Field& field);
  Result<Piece> values_of(const Outside& outside);
  Result<std::size_t> data_file(const Outside& outside);

  Window window_;
  Files& folder_;
  std::vector<DataFile> data_;
  std::map<std::string, std::size_t> by_name_;
  std::uint64_t tensors_ = 0;
};

Result<Part> Folding::message(std::uint64_t begin, std::uint64_t end, Kind kind,
                              std::size_t depth) {
  if (kind == Kind::tensor) return tensor(begin, end);
  if (depth > kDepthMax) return not_onnx();
  Part part;
  std::uint64_t kept = begin;
  for (std::uint64_t at = begin; at < end;) {
    CLOISTER_ASSIGN(const Field field, field_at(window_, at, end));
    at = field.end;
    const Kind child = field.wire == 2 ? kind_of(kind, field.number) : Kind::other;
    if (child == Kind::other) continue;
    CLOISTER_ASSIGN(Part inside, message(field.content, field.end, child, depth + 1));
    if (!inside.changed) continue;
    part.changed = true;
    part.add_model(kept, field.begin);
    part.add_made(header_of(field.number, inside.bytes));
    for (Piece& piece : inside.pieces) part.add(std::move(piece));
    kept = field.end;
  }
  if (part.changed) part.add_model(kept, end);
  return part;
}

Result<Part> Folding::tensor(std::uint64_t begin, std::uint64_t end) {
  CLOISTER_ASSIGN(const Outside outside, outside_of(begin, end));
  Part part;
  if (!outside.flagged) return part;
  if (++tensors_ > kExternalTensorsMax) {
    return about(Code::too_large, "more than " + std::to_string(kExternalTensorsMax) +
                                      " tensors lie in other files");
  }
  CLOISTER_ASSIGN(Piece values, values_of(outside));
  part.changed = true;
  for (std::uint64_t at = begin; at < end;) {
    CLOISTER_ASSIGN(const Field field, field_at(window_, at, end));
    at = field.end;
    if (field.number != 13 && field.number != 14) part.add_model(field.begin, field.end);
  }
  part.add_made(header_of(9, values.bytes));
  part.add(std::move(values));
  return part;
}

Result<Outside> Folding::outside_of(std::uint64_t begin, std::uint64_t end) {
  Outside outside;
  for (std::uint64_t at = begin; at < end;) {
    CLOISTER_ASSIGN(const Field field, field_at(window_, at, end));
    at = field.end;
    if (field.number == 14 && field.wire == 0) outside.flagged = field.scalar == 1;
    if (field.number == 9) outside.has_raw = true;
    if (field.number == 8 && field.wire == 2) {
      CLOISTER_ASSIGN(outside.name, window_.text(field.content, field.end));
    }
    if (field.number == 13 && field.wire == 2) CLOISTER_TRY(read_entry(outside, field));
  }
  return outside;
}

Status Folding::read_entry(Outside& outside, const Field& entry) {
  std::string key;
  std::string value;
  for (std::uint64_t at = entry.content; at < entry.end;) {
    CLOISTER_ASSIGN(const Field field, field_at(window_, at, entry.end));
    at = field.end;
    if (field.wire != 2 || field.number == 0 || field.number > 2) continue;
    CLOISTER_ASSIGN((field.number == 1 ? key : value),
                    window_.text(field.content, field.end));
  }
  if (key == "location") outside.location = value;
  if (key != "offset" && key != "length") return Done{};
  std::uint64_t number = 0;
  const char* last = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), last, number);
  if (error != std::errc{} || stop != last) outside.readable = false;
  if (key == "offset") outside.offset = number;
  else outside.length = number;
  return Done{};
}

Result<Piece> Folding::values_of(const Outside& outside) {
  const std::string who = "tensor " + quoted(outside.name);
  if (!outside.readable || outside.has_raw) {
    return about(Code::invalid, who + ": its reference to another file makes no sense");
  }
  CLOISTER_ASSIGN(const std::size_t file, data_file(outside));
  const std::uint64_t size = data_[file].size;
  const std::uint64_t length = outside.length.value_or(
      outside.offset <= size ? size - outside.offset : 0);
  if (outside.offset > size || length > size - outside.offset) {
    return about(Code::invalid, who + ": " + quoted(outside.location) + " has " +
                                    std::to_string(size) + " bytes, its values would end at " +
                                    std::to_string(outside.offset) + " + " +
                                    std::to_string(length));
  }
  if (length > kOneFileBytesMax) {
    return about(Code::too_large, who + ": one tensor alone is past what an ONNX file can hold");
  }
  return Piece{file + 1, outside.offset, length, {}};
}

Result<std::size_t> Folding::data_file(const Outside& outside) {
  const std::string& name = outside.location;
  const std::string who = "tensor " + quoted(outside.name) + ": its values are in " + quoted(name);
  if (const auto known = by_name_.find(name); known != by_name_.end()) return known->second;
  const bool plain = !name.empty() && name != "." && name != ".." &&
                     name.find('/') == name.npos && name.find('\0') == name.npos;
  if (!plain) return about(Code::invalid, who + "; only files beside the model are folded in");
  if (data_.size() >= kDataFilesMax) {
    return about(Code::too_large, "the values lie in more than " + std::to_string(kDataFilesMax) +
                                      " files");
  }
  const auto file = folder_.open_for_reading(name);
  if (!file.ok() && file.error().code == Code::corrupt) {
    return about(Code::invalid, who + ", which is a link or no regular file; put the file itself "
                                      "beside the model");
  }
  if (!file.ok()) return about(Code::not_found, who + ", which cannot be opened");
  CLOISTER_ASSIGN(const std::uint64_t size, file.value()->size());
  data_.push_back({name, size});
  by_name_[name] = data_.size() - 1;
  return data_.size() - 1;
}

}  // namespace

Result<FoldedModel> fold_external_data(std::unique_ptr<File> model,
                                       std::unique_ptr<Files> folder) {
  CLOISTER_ASSIGN(const std::uint64_t size, model->size());
  Folding folding(*model, size, *folder);
  auto part = folding.message(0, size, Kind::model, 0);
  if (!part.ok() && part.error().code != Code::corrupt) return part.error();
  if (!part.ok() || !part.value().changed) return FoldedModel{std::move(model)};
  Part whole = std::move(part).value();
  if (whole.bytes > kOneFileBytesMax) {
    return about(Code::too_large,
                 "with the values of its data files the model has " + std::to_string(whole.bytes) +
                     " bytes; an ONNX file holds at most " + std::to_string(kOneFileBytesMax) +
                     ": quantise it, store it in half precision, or split it");
  }
  FoldedModel folded;
  folded.tensors = folding.tensors();
  std::vector<DataFile> data = std::move(folding).take_data();
  folded.data_files = data.size();
  folded.file = std::make_unique<FoldedFile>(std::move(model), std::move(folder), std::move(data),
                                             std::move(whole));
  return folded;
}

}  // namespace cloister
