//! Where pixels of a picture lie on the screen.

use egui::{Pos2, Rect, Vec2, pos2, vec2};

/// Least and greatest points per pixel that zooming reaches.
const ZOOM_RANGE: (f32, f32) = (0.01, 64.0);

/// Part of the view that a fitted picture leaves free, in points on each side.
const FIT_MARGIN: f32 = 8.0;

/// What a person sees of a picture, independent of its size and of the view's: linked views share it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Point of the picture at the view's centre, as a share of its width and height.
    pub centre: Vec2,
    /// Magnification relative to the fitted picture.
    pub zoom: f32,
}

impl Default for Camera {
    fn default() -> Self {
        Self { centre: Vec2::splat(0.5), zoom: 1.0 }
    }
}

/// One view: a rectangle of the screen and the picture in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewTransform {
    /// On the screen, in points.
    pub rect: Rect,
    /// Width and height of the picture in pixels.
    pub image_size: Vec2,
    /// Point of the picture at the rectangle's centre, in pixels.
    pub image_centre: Pos2,
    /// Points of the screen per pixel of the picture.
    pub points_per_pixel: f32,
}

impl ViewTransform {
    /// A picture as `camera` sees it.
    pub fn new(rect: Rect, image_size: Vec2, camera: &Camera) -> Self {
        let image_centre = (image_size * camera.centre).to_pos2();
        Self { rect, image_size, image_centre, points_per_pixel: fit_scale(rect, image_size) * camera.zoom }
    }

    /// The camera that shows what this view shows.
    pub fn camera(&self) -> Camera {
        Camera {
            centre: self.image_centre.to_vec2() / self.image_size,
            zoom: self.points_per_pixel / fit_scale(self.rect, self.image_size),
        }
    }

    /// Pixel of the picture at a point of the screen.
    pub fn image_from_screen(&self, screen: Pos2) -> Pos2 {
        self.image_centre + (screen - self.rect.center()) / self.points_per_pixel
    }

    /// Point of the screen at a pixel of the picture.
    pub fn screen_from_image(&self, image: Pos2) -> Pos2 {
        self.rect.center() + (image - self.image_centre) * self.points_per_pixel
    }

    /// The same for a rectangle of pixels.
    pub fn screen_rect_from_image(&self, image: Rect) -> Rect {
        Rect::from_min_max(self.screen_from_image(image.min), self.screen_from_image(image.max))
    }

    /// The whole picture on the screen; it may reach beyond the view.
    pub fn picture_rect(&self) -> Rect {
        self.screen_rect_from_image(Rect::from_min_size(Pos2::ZERO, self.image_size))
    }

    /// Moves the picture by `delta` points of the screen.
    #[must_use]
    pub fn panned(mut self, delta: Vec2) -> Self {
        self.image_centre -= delta / self.points_per_pixel;
        self.clamped()
    }

    /// Magnifies by `factor`; the pixel under `anchor` (on the screen) stays where it is.
    #[must_use]
    pub fn zoomed(mut self, factor: f32, anchor: Pos2) -> Self {
        let fixed = self.image_from_screen(anchor);
        let least = ZOOM_RANGE.0.min(fit_scale(self.rect, self.image_size) * 0.5);
        self.points_per_pixel = (self.points_per_pixel * factor).clamp(least, ZOOM_RANGE.1);
        self.image_centre = fixed - (anchor - self.rect.center()) / self.points_per_pixel;
        self.clamped()
    }

    /// One pixel of the picture on one pixel of the screen, about the view's centre.
    #[must_use]
    pub fn at_full_size(self, pixels_per_point: f32) -> Self {
        let factor = 1.0 / (pixels_per_point * self.points_per_pixel);
        self.zoomed(factor, self.rect.center())
    }

    /// The view's centre stays within the picture, so that nobody loses it.
    fn clamped(mut self) -> Self {
        self.image_centre = self.image_centre.clamp(Pos2::ZERO, self.image_size.to_pos2());
        self
    }
}

/// Points per pixel at which a picture fits a rectangle.
fn fit_scale(rect: Rect, image_size: Vec2) -> f32 {
    let room = (rect.size() - Vec2::splat(2.0 * FIT_MARGIN)).max(vec2(1.0, 1.0));
    let scale = room / image_size.max(Vec2::splat(1.0));
    scale.min_elem()
}

/// Divides an area among `count` views in rows and columns; without a number of `columns`, so that pictures of `aspect`
/// (width / height) become as large as possible. Rectangles in reading order, `gap` points apart.
pub fn tile(area: Rect, count: usize, columns: Option<usize>, aspect: f32, gap: f32) -> Vec<Rect> {
    let count = count.max(1);
    let size_of = |columns: usize| {
        let rows = count.div_ceil(columns);
        let gaps = vec2(gap * (columns - 1) as f32, gap * (rows - 1) as f32);
        (area.size() - gaps).max(Vec2::splat(1.0)) / vec2(columns as f32, rows as f32)
    };
    let scale_of = |columns: usize| {
        let size = size_of(columns);
        size.x.min(size.y * aspect)
    };
    let largest = || (1..=count).max_by(|&a, &b| scale_of(a).total_cmp(&scale_of(b)).then(b.cmp(&a))).unwrap_or(1);
    let columns = columns.map_or_else(largest, |columns| columns.max(1));
    let size = size_of(columns);
    (0..count)
        .map(|index| {
            let (row, column) = ((index / columns) as f32, (index % columns) as f32);
            let min = pos2(area.min.x + column * (size.x + gap), area.min.y + row * (size.y + gap));
            Rect::from_min_size(min, size)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> ViewTransform {
        let rect = Rect::from_min_size(pos2(100.0, 50.0), vec2(816.0, 616.0));
        ViewTransform::new(rect, vec2(400.0, 200.0), &Camera::default())
    }

    #[test]
    fn a_fitted_picture_lies_in_the_middle() {
        let view = view();
        assert_eq!(view.points_per_pixel, 2.0);
        assert_eq!(view.screen_from_image(pos2(200.0, 100.0)), view.rect.center());
        assert!(view.rect.contains_rect(view.picture_rect()));
    }

    #[test]
    fn screen_and_picture_are_each_others_inverse() {
        let view = view().zoomed(3.7, pos2(300.0, 200.0)).panned(vec2(-20.0, 33.0));
        let screen = pos2(412.0, 300.0);
        assert!(view.screen_from_image(view.image_from_screen(screen)).distance(screen) < 1e-3);
    }

    #[test]
    fn zooming_keeps_the_pixel_under_the_pointer() {
        let anchor = pos2(420.0, 320.0);
        let before = view().image_from_screen(anchor);
        let after = view().zoomed(1.8, anchor).image_from_screen(anchor);
        assert!(before.distance(after) < 1e-3);
    }

    #[test]
    fn the_picture_cannot_be_lost() {
        let view = view().panned(vec2(1e6, -1e6)).zoomed(1e9, pos2(0.0, 0.0)).zoomed(1e-9, pos2(0.0, 0.0));
        assert!(view.picture_rect().intersects(view.rect));
        assert!(view.points_per_pixel > 0.0);
    }

    #[test]
    fn a_camera_shows_the_same_in_views_of_other_sizes() {
        let view = view().zoomed(4.0, pos2(300.0, 200.0));
        let other =
            ViewTransform::new(Rect::from_min_size(Pos2::ZERO, vec2(300.0, 300.0)), vec2(40.0, 20.0), &view.camera());
        assert!((other.image_centre.x / 40.0 - view.image_centre.x / 400.0).abs() < 1e-5);
    }

    #[test]
    fn full_size_is_one_to_one_on_dense_screens_too() {
        assert_eq!(view().at_full_size(2.0).points_per_pixel, 0.5);
    }

    #[test]
    fn tiles_fill_the_area_and_suit_the_pictures() {
        let area = Rect::from_min_size(Pos2::ZERO, vec2(1000.0, 500.0));
        let two = tile(area, 2, None, 1.0, 4.0);
        assert_eq!(two[0].height(), 500.0, "side by side");
        let two = tile(area, 2, None, 5.0, 4.0);
        assert_eq!(two[0].width(), 1000.0, "one above the other");
        assert_eq!(tile(area, 2, Some(2), 5.0, 4.0)[0].width(), 498.0, "side by side where that is asked for");
        assert_eq!(tile(area, 1, Some(2), 1.0, 4.0)[0].width(), 498.0, "with room for the second");
        assert_eq!(tile(area, 7, None, 1.0, 4.0).len(), 7);
        assert!(tile(area, 7, None, 1.0, 4.0).iter().all(|rect| area.expand(0.1).contains_rect(*rect)));
    }
}
