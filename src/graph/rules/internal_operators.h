#pragma once

#include <string_view>

namespace cloister {

/// The domain of operators that ONNX Runtime's layout optimiser makes and no exporter writes.
inline constexpr std::string_view kInternalDomain = "com.microsoft.nchwc";

/// These operators, in the form of rules/operators.txt. Facts: the operators that ONNX Runtime
/// 1.27 registers for blocked convolution layouts.
inline constexpr std::string_view kInternalOperatorText =
    "com.microsoft.nchwc AveragePool 1 - 1 1 1 1 auto_pad:string ceil_mode:integer "
    "count_include_pad:integer dilations:integers kernel_shape:integers! pads:integers "
    "strides:integers\n"
    "com.microsoft.nchwc Conv 1 - 2 4 1 1 activation:string activation_params:reals "
    "auto_pad:string dilations:integers group:integer kernel_shape:integers pads:integers "
    "strides:integers\n"
    "com.microsoft.nchwc GlobalAveragePool 1 - 1 1 1 1\n"
    "com.microsoft.nchwc GlobalMaxPool 1 - 1 1 1 1\n"
    "com.microsoft.nchwc MaxPool 1 - 1 1 1 1 auto_pad:string ceil_mode:integer "
    "dilations:integers kernel_shape:integers! pads:integers storage_order:integer "
    "strides:integers\n"
    "com.microsoft.nchwc ReorderInput 1 - 1 1 1 1 channels_last:integer\n"
    "com.microsoft.nchwc ReorderOutput 1 - 1 1 1 1 channels:integer! channels_last:integer\n"
    "com.microsoft.nchwc Upsample 1 - 1 1 1 1 coordinate_transformation_mode:string "
    "mode:string scales:integers\n";

}  // namespace cloister
