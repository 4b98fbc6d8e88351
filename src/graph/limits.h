#pragma once

#include <cstddef>
#include <cstdint>

#include "model/model.h"

namespace cloister {

// What one model may hold at most. docs/admission.md gives the reason for each and the largest
// value seen in public models. All counts are over the whole file, subgraphs and functions
// included, unless the comment says otherwise.

inline constexpr std::uint64_t kNodesMax = 1U << 16;
inline constexpr std::uint64_t kAttributesMax = 1U << 17;
inline constexpr std::uint64_t kTensorsMax = 1U << 15;      ///< initializers and attribute tensors
inline constexpr std::uint64_t kValueNamesMax = 1U << 17;   ///< inputs and outputs of nodes
inline constexpr std::uint64_t kStringsMax = 1U << 20;      ///< elements of string lists, tensors
inline constexpr std::uint64_t kGraphsMax = 1U << 10;       ///< subgraphs
inline constexpr std::uint64_t kDimensionsMax = 1U << 18;   ///< dimensions of tensors and types
inline constexpr std::uint64_t kFunctionsMax = 1U << 10;
inline constexpr std::uint64_t kOpsetImportsMax = 1U << 12;
inline constexpr std::size_t kGraphNestingMax = 8;          ///< subgraph within subgraph
inline constexpr std::size_t kTypeNestingMax = 4;           ///< optional of sequence of tensor is 3
inline constexpr std::size_t kFunctionNestingMax = 32;      ///< function calling function
inline constexpr std::uint64_t kInlinedNodesMax = 1U << 18; ///< after every function is expanded
inline constexpr std::size_t kNameBytesMax = kTensorNameMax;  ///< any name inside the model
inline constexpr std::size_t kStringBytesMax = 1U << 20;    ///< one string of an attribute, tensor
inline constexpr std::size_t kNodeAttributesMax = 64;       ///< of one node, or one function
inline constexpr std::size_t kExternalEntriesMax = 8;       ///< of one tensor

inline constexpr std::uint64_t kTreeNodesMax = 1U << 21;    ///< nodes, or votes, of one ensemble
inline constexpr std::size_t kTreeDepthMax = 2048;          ///< nodes on one path
inline constexpr std::uint64_t kFeaturesMax = 1U << 24;     ///< columns that a tree may look at
inline constexpr std::int64_t kClassesMax = 1 << 20;        ///< classes or targets

inline constexpr std::uint64_t kWeightInlineBytesMax = 1023;      ///< larger ones leave the graph
inline constexpr std::uint64_t kConvertedBytesMax = 256ULL << 20; ///< weights stored as varints
inline constexpr std::uint64_t kFoldedBytesMin = 128ULL << 20;    ///< constants that nodes make
inline constexpr std::uint64_t kFoldedBytesForEach = 64ULL << 10; ///< more for each byte of a file
inline constexpr std::uint64_t kFoldedBytesMax = 640ULL << 20;    ///< or four times the file
inline constexpr std::uint64_t kInferenceStepsMax = 1U << 20;     ///< names looked at, loops again
inline constexpr std::uint64_t kInferredDimensionsMax = 1U << 18; ///< known of all values at once
inline constexpr std::size_t kInferredPartsMax = 1024;            ///< of one Split
inline constexpr std::uint64_t kSparseDenseBytesMax = 64ULL << 20; ///< of one sparse tensor
inline constexpr std::uint64_t kCanonicalGraphBytesMax = 256ULL << 20;

inline constexpr std::uint64_t kOptimisedSlackBytes = 1U << 20;   ///< past twice the original

inline constexpr std::size_t kFindingsMax = 64;         ///< listed; the rest is counted
inline constexpr std::size_t kFindingQuoteMax = 80;     ///< bytes of a name quoted in a finding

inline constexpr std::int64_t kIrVersionMin = 3;
inline constexpr std::int64_t kIrVersionMax = 13;       ///< of ONNX Runtime 1.27.0
inline constexpr std::int64_t kOpsetMax = 26;           ///< ai.onnx, of ONNX Runtime 1.27.0
inline constexpr std::int64_t kMlOpsetMax = 5;          ///< ai.onnx.ml, the same
inline constexpr std::int64_t kMicrosoftOpsetMax = 1;   ///< com.microsoft, the same

}  // namespace cloister
