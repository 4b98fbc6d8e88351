//! The crate `ort` over the very runtime library that everybody else uses: ORT_DYLIB_PATH.

use baseline::{elements, serve, write_f32, Element, Failure, Input, Model};
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;

struct OrtModel(Session);

impl Model for OrtModel {
    fn run(&mut self, input: &Input, answer: &mut Vec<u8>) -> Result<(), Failure> {
        let name = self.0.inputs()[0].name().to_string();
        let shape: Vec<i64> = input.shape.iter().map(|extent| *extent as i64).collect();
        let value: SessionInputValue = match input.element {
            Element::F32 => Tensor::from_array((shape, elements::<f32>(input.bytes)))?.into(),
            Element::I64 => Tensor::from_array((shape, elements::<i64>(input.bytes)))?.into(),
        };
        let outputs = self.0.run(vec![(name, value)])?;
        for (_, output) in outputs.iter() {
            let (shape, values) = output.try_extract_tensor::<f32>()?;
            let shape: Vec<usize> = shape.iter().map(|extent| *extent as usize).collect();
            write_f32(answer, &shape, values);
        }
        Ok(())
    }
}

fn main() -> Result<(), Failure> {
    let environment: Environment = ort::init().build()?;
    serve(Box::new(move |path| {
        let mut builder = Session::builder(&environment)?
            .with_intra_threads(1)
            .map_err(|failure| failure.to_string())?
            .with_inter_threads(1)
            .map_err(|failure| failure.to_string())?;
        Ok(Box::new(OrtModel(builder.commit_from_file(path)?)))
    }))
}
