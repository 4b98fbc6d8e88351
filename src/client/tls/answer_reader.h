#pragma once

#include <memory>

#include "client/connection.h"

namespace cloister {

/// Reads one answer from the bytes of a connection, in any pieces, and hands it to a sink.
/// Beast takes heads, lengths and chunks apart. An interim answer (1xx) does not reach the sink.
/// Source: RFC 9112, 4 to 7.
class AnswerReader {
 public:
  virtual ~AnswerReader() = default;
  /// How many bytes of `input` were used: what is left belongs to the next answer, or must come
  /// again with more behind it. Fails: `corrupt`, as the sink does. Not to be called again then.
  virtual Result<std::size_t> take(Bytes input) = 0;
  /// The connection ended. Fails: `unavailable` unless that completes the answer.
  virtual Status end() = 0;
  virtual bool finished() const noexcept = 0;
  virtual int status() const noexcept = 0;      ///< once finished
  virtual bool keeps_alive() const noexcept = 0;  ///< once finished: the connection goes on
};

/// `to_head`: the answer to HEAD, which has no body. `sink` must outlive it.
std::unique_ptr<AnswerReader> make_answer_reader(AnswerSink& sink, bool to_head);

}  // namespace cloister
