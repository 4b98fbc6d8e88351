//! tract, the engine in Rust alone.

use baseline::{serve, write_f32, Element, Failure, Input, Model};
use std::sync::Arc;
use tract_onnx::prelude::*;

struct TractModel(Arc<TypedRunnableModel>);

impl Model for TractModel {
    fn run(&mut self, input: &Input, answer: &mut Vec<u8>) -> Result<(), Failure> {
        // Plain numbers, and as many as the shape says: any bytes are valid.
        let tensor = unsafe {
            match input.element {
                Element::F32 => Tensor::from_raw::<f32>(&input.shape, input.bytes)?,
                Element::I64 => Tensor::from_raw::<i64>(&input.shape, input.bytes)?,
            }
        };
        for output in self.0.run(tvec!(tensor.into()))? {
            let view = output.try_as_plain_ram()?;
            write_f32(answer, output.shape(), view.as_slice::<f32>()?);
        }
        Ok(())
    }
}

fn main() -> Result<(), Failure> {
    serve(Box::new(|path| {
        let model = tract_onnx::onnx().model_for_path(path)?.into_optimized()?.into_runnable()?;
        Ok(Box::new(TractModel(model)))
    }))
}
