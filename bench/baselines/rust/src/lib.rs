//! A small server over TLS 1.3 for one model: what the compiled baselines share.
//!
//! `POST .../infer` takes a `.npy` file and answers `.npy` files, one after another for a model
//! with several outputs; the model is loaded where it is not in memory. `POST .../unload` takes it
//! out. One thread for each connection, keep-alive, the request read into one reused buffer.

use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslStream, SslVersion};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a request brings: little-endian elements in C order.
pub struct Input<'a> {
    pub element: Element,
    pub shape: Vec<usize>,
    pub bytes: &'a [u8],
}

#[derive(Clone, Copy, PartialEq)]
pub enum Element {
    F32,
    I64,
}

/// A loaded model.
pub trait Model: Send {
    /// Runs on `input` and appends each output to `answer` by `write_f32`.
    fn run(&mut self, input: &Input, answer: &mut Vec<u8>) -> Result<(), Failure>;
}

pub type Load = dyn Fn(&str) -> Result<Box<dyn Model>, Failure> + Send + Sync;

/// The elements, copied to memory that is aligned for them.
pub fn elements<T: Copy>(bytes: &[u8]) -> Vec<T> {
    let size = std::mem::size_of::<T>();
    let count = bytes.len() / size;
    let mut values: Vec<T> = Vec::with_capacity(count);
    // Plain numbers: any bytes are valid.
    unsafe {
        std::ptr::copy_nonoverlapping(
            bytes.as_ptr(),
            values.as_mut_ptr().cast::<u8>(),
            count * size,
        );
        values.set_len(count);
    }
    values
}

/// Appends one `.npy` file.
pub fn write_f32(answer: &mut Vec<u8>, shape: &[usize], values: &[f32]) {
    let extents: Vec<String> = shape.iter().map(|extent| extent.to_string()).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{}), }}",
        extents.join(", "),
        comma
    );
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    answer.extend_from_slice(b"\x93NUMPY\x01\x00");
    answer.extend_from_slice(&(header.len() as u16).to_le_bytes());
    answer.extend_from_slice(header.as_bytes());
    let bytes =
        unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), values.len() * 4) };
    answer.extend_from_slice(bytes);
}

fn read_npy(body: &[u8]) -> Result<Input<'_>, Failure> {
    if body.len() < 10 || &body[..8] != b"\x93NUMPY\x01\x00" {
        return Err("not a .npy file of version 1".into());
    }
    let end = 10 + u16::from_le_bytes([body[8], body[9]]) as usize;
    let header = std::str::from_utf8(body.get(10..end).ok_or("a short header")?)?;
    let element = match () {
        _ if header.contains("'<f4'") => Element::F32,
        _ if header.contains("'<i8'") => Element::I64,
        _ => return Err("an element type that is not served".into()),
    };
    if !header.contains("'fortran_order': False") {
        return Err("only C order".into());
    }
    let inside = header.split_once("'shape': (").and_then(|(_, rest)| rest.split_once(')'));
    let shape: Vec<usize> = inside
        .ok_or("no shape")?
        .0
        .split(',')
        .map(str::trim)
        .filter(|extent| !extent.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let size = if element == Element::F32 { 4 } else { 8 };
    let bytes = &body[end..];
    if shape.iter().product::<usize>() * size != bytes.len() {
        return Err("the shape does not fit the data".into());
    }
    Ok(Input { element, shape, bytes })
}

struct Connection {
    stream: SslStream<TcpStream>,
    buffer: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    /// The next request: its path and where its body lies; nothing at the end.
    fn receive(&mut self) -> Result<Option<(String, Range<usize>)>, Failure> {
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            let count = self.stream.read(&mut self.buffer[filled..])?;
            if count == 0 {
                return Ok(None);
            }
            filled += count;
            let Some(end) = find(&self.buffer[..filled], b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.buffer[..end])?.to_ascii_lowercase();
            let path = head.split(' ').nth(1).ok_or("no path")?.to_string();
            let length = head
                .split_once("content-length:")
                .map_or(Ok(0), |(_, rest)| rest.split("\r\n").next().unwrap_or("").trim().parse())?;
            let whole = end + 4 + length;
            if self.buffer.len() < whole {
                self.buffer.resize(whole, 0);
            }
            if filled < whole {
                self.stream.read_exact(&mut self.buffer[filled..whole])?;
            }
            return Ok(Some((path, end + 4..whole)));
        }
    }

    fn send(&mut self) -> Result<(), Failure> {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-npy\r\ncontent-length: {}\r\n\r\n",
            self.answer.len()
        );
        // A small answer goes out in one record; a large one is not moved for that.
        if self.answer.len() < 8192 {
            self.answer.splice(0..0, head.into_bytes());
        } else {
            self.stream.write_all(head.as_bytes())?;
        }
        self.stream.write_all(&self.answer)?;
        Ok(())
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

struct Served {
    path: String,
    load: Box<Load>,
    model: Mutex<Option<Box<dyn Model>>>,
}

impl Served {
    fn answer(&self, connection: &mut Connection) -> Result<bool, Failure> {
        let Some((path, body)) = connection.receive()? else { return Ok(false) };
        connection.answer.clear();
        let mut model = self.model.lock().map_err(|_| "a run has failed")?;
        if path.ends_with("/unload") {
            *model = None;
        } else {
            if model.is_none() {
                *model = Some((self.load)(&self.path)?);
            }
            let input = read_npy(&connection.buffer[body])?;
            model.as_mut().unwrap().run(&input, &mut connection.answer)?;
        }
        drop(model);
        connection.send()?;
        Ok(true)
    }
}

/// Arguments: the model's file, certificate, key. Prints the port; ends with standard input.
pub fn serve(load: Box<Load>) -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let mut tls = SslAcceptor::mozilla_modern_v5(SslMethod::tls_server())?;
    tls.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    tls.set_certificate_chain_file(&arguments[2])?;
    tls.set_private_key_file(&arguments[3], SslFiletype::PEM)?;
    tls.set_read_ahead(true);
    let tls = tls.build();
    let served = Arc::new(Served { path: arguments[1].clone(), load, model: Mutex::new(None) });
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (tls, served) = (tls.clone(), served.clone());
            std::thread::spawn(move || {
                stream.set_nodelay(true).ok();
                let Ok(stream) = tls.accept(stream) else { return };
                let mut connection =
                    Connection { stream, buffer: vec![0; 1 << 20], answer: Vec::new() };
                loop {
                    match served.answer(&mut connection) {
                        Ok(true) => {}
                        Ok(false) => return,
                        Err(failure) => return eprintln!("{failure}"),
                    }
                }
            });
        }
    });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
